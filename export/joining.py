"""Products of one input with several weights, joined to one: as queries, keys and values of attention are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper


def joined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph in which MatMuls of one input with constant weights are one, whose result is split.

    The numbers are the same. In int8 it saves more than launches: ONNX Runtime leaves products that share a
    quantised input in float32.

    Parameters
    ----------
    model : onnx.ModelProto
        float32; left as it is.

    Returns
    -------
    onnx.ModelProto
        With shapes not yet inferred.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    uses: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            uses.setdefault(name, []).append(node)
    for value in graph.output:  # what is an output has a reader that is no node
        uses.setdefault(value.name, []).append(onnx.NodeProto())
    dropped: set[str] = set()
    instead: dict[str, list[onnx.NodeProto]] = {}
    for products in _siblings(graph, weights):
        sums = [_sum_of(node, uses, weights) for node in products]
        if any(each is None for each in sums):
            continue
        first = products[0].name
        pairs = [(node, add) for node, add in zip(products, sums, strict=True) if add is not None]
        matrices = [numpy_helper.to_array(weights[node.input[1]]) for node, _ in pairs]
        biases = [numpy_helper.to_array(weights[_bias(node, add, weights)]) for node, add in pairs]
        graph.initializer.extend(
            (
                numpy_helper.from_array(np.concatenate(matrices, axis=1), f"{first}.joined.weight"),
                numpy_helper.from_array(np.concatenate(biases), f"{first}.joined.bias"),
                numpy_helper.from_array(
                    np.asarray([len(b) for b in biases], np.int64), f"{first}.joined.sizes"
                ),
            )
        )
        instead[first] = [
            helper.make_node(
                "MatMul",
                [products[0].input[0], f"{first}.joined.weight"],
                [f"{first}.joined.product"],
                f"{first}_joined",
            ),
            helper.make_node(
                "Add",
                [f"{first}.joined.product", f"{first}.joined.bias"],
                [f"{first}.joined"],
                f"{first}_joined_bias",
            ),
            helper.make_node(
                "Split",
                [f"{first}.joined", f"{first}.joined.sizes"],
                [add.output[0] for _, add in pairs],
                f"{first}_joined_split",
                axis=-1,
            ),
        ]
        dropped |= {node.name for pair in pairs for node in pair}
    nodes = [
        kept for node in graph.node for kept in instead.get(node.name, [] if node.name in dropped else [node])
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused_weights(graph)
    return made


def _siblings(graph: onnx.GraphProto, weights: dict[str, onnx.TensorProto]) -> Iterator[list[onnx.NodeProto]]:
    """Yield products with weights that share their input, in the order of the graph."""
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights and len(weights[node.input[1]].dims) == 2:
            groups.setdefault(node.input[0], []).append(node)
    yield from (group for group in groups.values() if len(group) > 1)


def _sum_of(
    product: onnx.NodeProto, uses: dict[str, list[onnx.NodeProto]], weights: dict[str, onnx.TensorProto]
) -> onnx.NodeProto | None:
    """Return the node that adds a bias to a product, where nothing else reads the product."""
    readers = uses.get(product.output[0], [])
    if len(readers) != 1 or readers[0].op_type != "Add":
        return None
    others = [name for name in readers[0].input if name != product.output[0]]
    fits = len(others) == 1 and others[0] in weights
    return (
        readers[0] if fits and list(weights[others[0]].dims) == [weights[product.input[1]].dims[1]] else None
    )


def _bias(product: onnx.NodeProto, add: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> str:
    return str(next(name for name in add.input if name != product.output[0] and name in weights))


def _drop_unused_weights(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    made = {name for node in graph.node for name in node.output}
    known = [value for value in graph.value_info if value.name in made]
    del graph.value_info[:]
    graph.value_info.extend(known)
