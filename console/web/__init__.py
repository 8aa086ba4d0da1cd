"""The console in a browser: a server on this machine that reads run directories and takes decisions."""
