"""The entry point of `evergreen`: it takes Ctrl-C before the command line, and all that belongs to it, is imported."""

from evergreen import ctrl_c


def main() -> None:
    """Run the command line."""
    ctrl_c.begin()
    try:
        from cli.main import main as run

        run()
    except KeyboardInterrupt:
        ctrl_c.leave()
    finally:
        ctrl_c.finish()


if __name__ == "__main__":
    main()
