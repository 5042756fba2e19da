"""Why these cases: the evidence of a query, a preliminary report that cites it, and the checks of both."""
