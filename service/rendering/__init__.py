"""One summary, shown in several ways: the resource of the API, Markdown, a page, a terminal."""
