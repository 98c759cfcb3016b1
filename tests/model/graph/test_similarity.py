import pytest
import torch

from mmgat.model.graph.similarity import (
    SIMILARITIES,
    cosine,
    emd,
    euclidean,
    pearson,
    similarity_named,
)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_equal_embeddings_have_similarity_one_and_the_matrix_is_symmetric(name: str) -> None:
    embeddings = torch.randn(2, 7, 128, generator=torch.Generator().manual_seed(0))
    matrix = SIMILARITIES[name](embeddings, embeddings)
    assert torch.allclose(matrix.diagonal(dim1=1, dim2=2), torch.ones(2, 7), atol=1e-5)
    assert torch.allclose(matrix, matrix.transpose(1, 2), atol=1e-6)


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_one_embedding_against_all_is_its_row_of_the_matrix(name: str) -> None:
    embeddings = torch.randn(7, 128, generator=torch.Generator().manual_seed(0))
    metric = SIMILARITIES[name]
    assert torch.allclose(
        metric(embeddings[3:4], embeddings)[0], metric(embeddings, embeddings)[3], atol=1e-6
    )


def test_known_values() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    assert cosine(a, b).item() == pytest.approx(0.5**0.5)
    assert pearson(a, torch.tensor([[0.0, 5.0]])).item() == pytest.approx(-1.0)
    assert euclidean(a, b).item() == pytest.approx(torch.exp(torch.tensor(-0.25)).item())


def test_emd_moves_mass_over_the_distance_between_entries() -> None:
    far = 50.0  # the softmax of such a row is a point mass
    embeddings = torch.eye(4) * far
    assert emd(embeddings[:1], embeddings)[0].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="cosine.*found 'manhattan'"):
        similarity_named("manhattan")
