"""The commands ``mmgat-train`` and ``mmgat-train compact``."""

from mmgat.model.threads import share_processor

share_processor()
