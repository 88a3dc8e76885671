import pytest
from tiny_studies import StudyRoom


@pytest.fixture
def room(tmp_path) -> StudyRoom:
    return StudyRoom.at(tmp_path)


@pytest.fixture(scope="session")
def studied(tmp_path_factory) -> StudyRoom:
    """A study of three trials, run to its end with all its plots."""
    room = StudyRoom.at(tmp_path_factory.mktemp("studied"))
    room.run(plots=True)
    return room
