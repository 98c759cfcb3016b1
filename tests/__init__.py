"""The tests, beside other work."""

from mmgat.model.threads import share_processor

share_processor()
