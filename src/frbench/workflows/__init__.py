"""One file per verb; the flow is a short list of single calls."""
