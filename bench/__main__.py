"""`python -m bench`: every benchmark, in nine minutes, each with what it should reach."""

from bench import chunking, comparing, endpoint, grounding, jobs, processes, summaries


def main() -> None:
    """Print the tables."""
    print("To reach: at most 1.3 times one encode pass on prose, at most 2 on lines without spaces")
    chunking.main()
    print()
    summaries.print_sentences()
    print()
    summaries.print_summaries()
    print()
    grounding.main()
    print()
    endpoint.main()
    print()
    comparing.main()
    print()
    jobs.main()
    print()
    processes.main()


if __name__ == "__main__":
    main()
