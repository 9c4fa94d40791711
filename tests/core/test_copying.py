"""What a summary takes over from its sources, by stretches and by pairs of words."""

from service.core.copying import fragment_density, novel_bigrams


def test_copying_a_source_is_dense_and_not_novel() -> None:
    """A copy of seven words is one stretch of seven; case and punctuation do not count."""
    source = "First, Kelly flew to the station. Then he came home again."
    lines = ["kelly flew to the station then he"]
    assert fragment_density(lines, [source]) == 7.0
    assert not any(novel_bigrams(lines, [source]))


def test_what_no_source_says_is_novel() -> None:
    """And has no density."""
    assert novel_bigrams(["No word shared"], ["Kelly flew."]) == [True, True]
    assert fragment_density(["No word shared"], ["Kelly flew."]) == 0.0


def test_nothing_runs_on_from_one_text_or_line_into_the_next() -> None:
    """Two texts beside one another are not one, and a pair of words lies within one line."""
    assert fragment_density(["Kelly flew"], ["Then Kelly", "flew home"]) == 1.0
    assert novel_bigrams(["Kelly flew"], ["Then Kelly", "flew home"]) == [True]
    assert novel_bigrams(["Kelly", "flew"], ["Kelly"]) == []


def test_without_words_there_is_no_density() -> None:
    """Neither 0 nor 1."""
    assert fragment_density([], ["Kelly flew."]) is None
    assert fragment_density(["…"], []) is None
    assert fragment_density(["Kelly flew."], []) == 0.0


def test_a_text_of_one_word_over_and_over_is_no_trap() -> None:
    """The longest stretch is found without trying every place anew."""
    assert fragment_density(["na " * 250], ["na " * 300_000]) == 250.0
