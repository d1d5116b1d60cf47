"""Blocks a signal."""

import signal

PREVIOUS = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
