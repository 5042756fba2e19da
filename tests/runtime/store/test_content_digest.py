"""The digest of what a store holds: another one after every change, the same in its backup."""

from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.store.backup import restore_backup, write_backup


def test_every_change_gives_another_digest(store, maker):
    seen = [store.content_digest()]
    for change in (
        lambda: store.add([maker.image("a"), maker.image("b")], []),
        lambda: store.add([], [maker.report("a", "There is a nodule in the right upper lung zone.")]),
        lambda: store.add([], [maker.report("a", "The lungs are clear.")]),
        lambda: store.delete(["b"]),
    ):
        change()
        seen.append(store.content_digest())
    assert len(set(seen)) == len(seen)
    assert store.content_digest() == seen[-1]


def test_a_backup_holds_the_same(store, maker, toy, tmp_path):
    store.add([maker.image(f"s{n}") for n in range(5)], [maker.report("s2", "The lungs are clear.")])
    write_backup(store.path, tmp_path / "copy")
    restore_backup(tmp_path / "copy", tmp_path / "again")
    with Store.open(tmp_path / "again", bundle=toy.bundle) as restored:
        assert restored.content_digest() == store.content_digest()
