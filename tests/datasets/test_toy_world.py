"""The toy world as a whole: its files are a function of its parameters, and it is all or nothing."""


def test_the_fixture_is_complete(toy_world):
    assert len(list((toy_world / 'JPEGImages').iterdir())) == 24
