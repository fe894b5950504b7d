"""The way back to Customer.io: calls under ids of our own, so that a repeat is seen as one."""

from agents.customerio.failures import Failure, TryLater, Unauthorized
from agents.customerio.pipelines import BATCH_MESSAGES_MAX, Message, Pipelines

__all__ = ["BATCH_MESSAGES_MAX", "Failure", "Message", "Pipelines", "TryLater", "Unauthorized"]
