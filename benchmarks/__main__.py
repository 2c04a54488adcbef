"""Run the benchmarks that need no data: `python -m benchmarks`."""

from . import memory


def main() -> None:
    print("python -m benchmarks.NAME runs one; NAME is a file of this folder;")
    print("see benchmarks/README.md. This command runs: memory, for texts of 2, 20 and 200 MB.\n")
    memory.main()


if __name__ == "__main__":
    main()
