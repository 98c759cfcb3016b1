"""The installed commands, a module each, and what they share."""

from mmgat.model.threads import share_processor

share_processor()
