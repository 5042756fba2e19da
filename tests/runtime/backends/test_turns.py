import threading
import time

from edge_retrieve.runtime.backends import Runner, TakingTurns


class Counting(Runner):
    """A graph that knows how many callers it has at once."""

    name, inputs = "counting", ()

    def __init__(self):
        self.inside, self.most, self.closed = 0, 0, False

    def run(self, inputs):
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.002)
        self.inside -= 1
        return inputs

    def close(self):
        self.closed = True


def call_from_threads(graphs):
    threads = [threading.Thread(target=graph.run, args=({},)) for graph in graphs for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_callers_of_graphs_that_share_an_engine_wait_for_each_other():
    turn, engine = threading.Lock(), Counting()
    call_from_threads([TakingTurns(engine, turn), TakingTurns(engine, turn)])
    assert engine.most == 1


def test_without_it_they_would_meet():
    engine = Counting()
    call_from_threads([engine, engine])
    assert engine.most > 1


def test_it_answers_and_ends_as_the_graph_itself():
    engine = Counting()
    with TakingTurns(engine, threading.Lock()) as graph:
        assert graph.run({"a": 1}) == {"a": 1}
        assert (graph.name, graph.inputs) == (engine.name, engine.inputs)
    assert engine.closed
