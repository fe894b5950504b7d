"""The same stateful job on four carriers: ours, a naive Faust app, quix-streams, and plain aiokafka as Python's ceiling."""
