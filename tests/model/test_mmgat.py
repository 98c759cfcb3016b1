import pytest
import torch

from mmgat.model.graph.similarity import SIMILARITIES
from mmgat.model.labels import LABELS
from mmgat.model.mmgat import MMGAT, MMGATConfig
from tests.conftest import untrained_mmgat


def embeddings(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, 128, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("similarity", sorted(SIMILARITIES))
def test_permuted_nodes_give_permuted_instances_and_the_same_bag(similarity: str) -> None:
    model = untrained_mmgat(similarity=similarity)
    nodes, steps = embeddings(1, 8), torch.arange(8)[None]
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    straight = model(nodes, steps=steps)
    permuted = model(nodes[:, order], steps=steps[:, order])
    assert torch.allclose(permuted.bag_scores, straight.bag_scores, atol=1e-5)
    assert torch.allclose(permuted.instance_scores, straight.instance_scores[:, order], atol=1e-5)
    assert torch.allclose(permuted.evidence, straight.evidence[:, order], atol=1e-5)


def test_a_padded_batch_gives_what_its_graphs_give_alone() -> None:
    model = untrained_mmgat()
    lengths = [1, 4, 13]
    padded = embeddings(3, 13)
    mask = torch.arange(13) < torch.tensor(lengths)[:, None]
    together = model(padded, mask)
    for bag, length in enumerate(lengths):
        alone = model(padded[bag : bag + 1, :length])
        assert torch.allclose(together.bag_scores[bag], alone.bag_scores[0], atol=1e-5)
        instances = together.instance_scores[bag, :length]
        assert torch.allclose(instances, alone.instance_scores[0], atol=1e-5)


def test_evidence_sums_to_the_bag_score_and_attention_to_one() -> None:
    model = untrained_mmgat()
    mask = torch.arange(6) < torch.tensor([[4], [6]])
    output = model(embeddings(2, 6), mask)
    assert torch.allclose(output.evidence.sum(1), output.bag_scores, atol=1e-6)
    assert torch.allclose(output.attention.sum(1), torch.ones(2, 20), atol=1e-6)
    assert (output.attention[0, 4:] == 0).all()


def test_shapes_for_one_and_for_sixty_nodes() -> None:
    model = untrained_mmgat()
    for n in (1, 60):
        output = model(embeddings(2, n))
        assert output.instance_logits.shape == (2, n, 20)
        assert output.auxiliary_logits.shape == (2, 3)
        assert output.features.shape == (2, 20, 512)


def test_other_nodes_change_what_a_node_says() -> None:
    model = untrained_mmgat()
    nodes = embeddings(1, 5)
    changed = torch.cat([embeddings(1, 4, seed=9), nodes[:, 4:]], dim=1)
    newest = model(nodes).instance_scores[0, -1]
    assert not torch.allclose(newest, model(changed).instance_scores[0, -1])


def test_every_parameter_is_trained() -> None:
    model = untrained_mmgat().train()
    output = model(embeddings(4, 6))
    total = output.bag_scores.sum() + output.auxiliary_logits.sum() + output.instance_logits.sum()
    (total + model.labels.reconstruction_error()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_text_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected text embeddings \(20, 384\), found \(3, 5\)"):
        MMGAT(MMGATConfig(), torch.randn(3, 5))


def test_a_card_with_unknown_settings_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown field `depth`"):
        MMGATConfig.from_dict({"depth": 3})


def test_the_label_table_is_the_same_in_training_and_its_reconstruction_is_masked() -> None:
    labels = untrained_mmgat().labels
    assert labels is not None
    table = labels()
    labels.train()
    assert torch.equal(labels(), table)
    once, again = labels.reconstruction_error(), labels.reconstruction_error()
    assert not torch.equal(once, again)
    assert 0 <= once.item() <= 2
    assert labels.text.shape[0] == len(LABELS)


@pytest.mark.parametrize(
    ("config", "missing"),
    [({"n_auxiliary": 0}, "auxiliary"), ({"n_layers": 0}, "layers"), ({}, "tags")],
)
def test_a_part_that_is_left_out_has_no_weights(config: dict[str, int], missing: str) -> None:
    model = untrained_mmgat(**config)
    assert not [name for name in model.state_dict() if name.startswith(f"{missing}.")]
    assert model(embeddings(1, 3)).bag_scores.shape == (1, 20)


def test_without_label_semantics_no_text_is_needed() -> None:
    model = MMGAT(MMGATConfig(text_size=0), None).eval()
    assert not [name for name in model.state_dict() if name.startswith("label")]
    assert model(embeddings(1, 3)).bag_scores.shape == (1, 20)


def test_rows_of_another_size_are_projected() -> None:
    model = untrained_mmgat(input_size=158)
    nodes = torch.randn(2, 4, 158)
    assert model(nodes).bag_scores.shape == (2, 20)
