"""A pipeline file in a process of its own; `-m poh_holdmetrics.pipeline.worker` is that process."""
