"""A flow's progress as people see it."""

from seeknal.workflow.nodestate import NodeState

__all__ = ["NodeState"]
