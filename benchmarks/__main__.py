"""`python -m benchmarks`: the questions, and the answers that need no data of the user's."""

from . import memory


def main() -> None:
    print("python -m benchmarks.NAME, where NAME is a file of this folder;")
    print("see benchmarks/README.md. Here: memory, for texts of 2, 20 and 200 MB.\n")
    memory.main()


if __name__ == "__main__":
    main()
