"""The installed commands, a module each, what they share, and what the live one runs."""

from mmgat.model.threads import share_processor

share_processor()
