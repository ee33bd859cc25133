"""A process that outlives its starter by two seconds, to kill what that has left: see `lifeline.guarded`."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of its own lifeline, which looks for what was left until it kills
    while True:
        signal.pause()
