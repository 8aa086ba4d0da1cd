"""Runs hostile code behind walls and judges it on the host.

Expected values never enter the sandbox: it answers with plain data, the host compares.
"""

from sandbox.nouns import Limits, SandboxError, Submission, SubmissionVerdict, TestCase
from sandbox.pool import Sandbox
from sandbox.rewrite import submission_from_humaneval, submission_from_mbpp

__all__ = [
    "Limits",
    "Sandbox",
    "SandboxError",
    "Submission",
    "SubmissionVerdict",
    "TestCase",
    "submission_from_humaneval",
    "submission_from_mbpp",
]
