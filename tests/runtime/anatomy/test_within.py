from itertools import combinations

from edge_retrieve.runtime.anatomy import REGIONS, Laterality, Region
from edge_retrieve.runtime.anatomy.within import PARTS, share_ground


def test_parts_lie_on_the_side_of_the_whole_and_mirror_with_it():
    for whole, parts in PARTS.items():
        for part in parts:
            if whole.laterality is not Laterality.MIDLINE:
                assert part.laterality is whole.laterality
                assert part.mirrored in PARTS[whole.mirrored]


def test_a_part_of_a_part_is_a_part():
    for parts in PARTS.values():
        for part in parts:
            assert PARTS.get(part, frozenset()) <= parts


def test_sharing_ground_is_mutual_and_never_crosses_the_midline():
    for one in REGIONS:
        assert share_ground(one, one)
        assert one.mirrored is one or not share_ground(one, one.mirrored)
    for one, other in combinations(REGIONS, 2):
        assert share_ground(one, other) == share_ground(other, one)
    assert share_ground(Region.RIGHT_LUNG, Region.RIGHT_APICAL_ZONE)
    assert not share_ground(Region.RIGHT_UPPER_LUNG_ZONE, Region.RIGHT_LOWER_LUNG_ZONE)
