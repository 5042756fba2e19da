"""What is remembered stays within its room."""

from edge_retrieve.edge_app.latest import Latest


def test_the_one_not_asked_for_the_longest_goes_first():
    latest, made = Latest(2), []

    def get(name):
        return latest.get(name, lambda: made.append(name) or name)

    assert [get(name) for name in "abacab"] == list("abacab")
    assert made == ["a", "b", "c", "b"]


def test_room_is_told_by_weight():
    latest, made = Latest(10, len), []

    def get(name, size):
        return latest.get(name, lambda: made.append(name) or bytes(size))

    for name, size in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("a", 4), ("c", 4)):
        assert len(get(name, size)) == size
    assert made == ["a", "b", "c"]
    get("whole", 10)
    assert len(get("too much", 11)) == 11
    made.clear()
    get("too much", 11)
    get("a", 4)
    assert made == ["too much", "a"]
