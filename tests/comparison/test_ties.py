from mmix.comparison.ties import groups, overlap, with_best, with_previous

RANKED = [(1.0, 2.0), (1.5, 3.0), (2.5, 4.0), (5.0, 6.0)]


def test_intervals_that_touch_overlap() -> None:
    assert overlap((1.0, 2.0), (2.0, 3.0))
    assert overlap((2.0, 3.0), (1.0, 2.0))
    assert overlap((1.0, 4.0), (2.0, 3.0))
    assert not overlap((1.0, 2.0), (2.1, 3.0))


def test_an_interval_that_is_not_known_can_lie_anywhere() -> None:
    assert overlap(None, (1.0, 2.0))
    assert overlap((1.0, 2.0), None)
    assert overlap(None, None)


def test_ties_with_the_best() -> None:
    assert with_best(RANKED) == [True, True, False, False]
    assert with_best([]) == []


def test_ties_with_the_row_above() -> None:
    assert with_previous(RANKED, before=(0.0, 0.5)) == [False, True, True, False]


def test_a_group_is_tied_with_its_best_and_not_a_chain() -> None:
    assert groups(RANKED) == [1, 1, 2, 3]
    assert groups([]) == []


def test_a_row_without_an_interval_joins_and_leads_nobody() -> None:
    assert groups([None, (1.0, 2.0), None, (3.0, 4.0)]) == [1, 1, 1, 2]
