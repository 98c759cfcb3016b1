"""Programs of the project itself: audits, benchmarks, trials."""

from mmgat.model.threads import share_processor

share_processor()
