"""Training of RRA-VL: phantoms, data sets, model, losses, loop, evaluation."""
