import torch

from mmgat.model.embedders.convnet import ConvNetEmbedder


def test_a_fused_embedder_gives_the_same_rows() -> None:
    torch.manual_seed(0)
    embedder = ConvNetEmbedder()
    log_mel = torch.randn(4, 96, 64) - 2
    embedder(log_mel)  # the running means are no longer trivial
    plain = embedder.eval()(log_mel)
    torch.testing.assert_close(embedder.fused()(log_mel), plain, atol=1e-5, rtol=1e-5)
