"""The networks that recognise: embedder and MMGAT as one, and MMGAT after the embedder (ours)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmgat.model.graph.instance_graph import GraphLayout, InstanceGraph
from mmgat.model.mmgat import MMGAT


class _GraphReader(nn.Module):
    """Reads graphs with MMGAT, whose label vectors are computed once."""

    queries: Tensor
    classes: Tensor

    def __init__(self, mmgat: MMGAT, layout: GraphLayout | None = None) -> None:
        super().__init__()
        self.mmgat, self.layout = mmgat, layout
        self.eval()
        with torch.no_grad():
            queries, classes = mmgat.label_vectors()
        self.register_buffer("queries", queries.detach().clone(), persistent=False)
        self.register_buffer("classes", classes.detach().clone(), persistent=False)

    def read(self, graph: InstanceGraph) -> tuple[Tensor, Tensor]:
        """Scores and attention [B, N, 20] of the nodes."""
        label_vectors = self.queries, self.classes
        _, logits, attention = self.mmgat.instances(graph, label_vectors, self.layout)
        return logits.sigmoid(), attention


class StreamingModel(_GraphReader):
    """B windows join B graphs, and MMGAT reads the graphs.

    Args:
        embedder: log-mel [B, n_frames, n_bands] -> embeddings [B, D].
        mmgat: reads graphs of these embeddings.
        layout: of the graphs' neighbours; chosen by the size of the batch if not given.
    """

    def __init__(
        self, embedder: nn.Module, mmgat: MMGAT, layout: GraphLayout | None = None
    ) -> None:
        super().__init__(mmgat, layout)
        self.embedder = embedder.eval()

    def forward(
        self,
        log_mel: Tensor,
        nodes: Tensor,
        mask: Tensor,
        steps: Tensor,
        newest: Tensor,
        similarity: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One window more for each graph: one node, and one row and column of similarities.

        Args:
            log_mel: float32 [B, n_frames, n_bands], the windows.
            nodes: float32 [B, N, D], embeddings of the graphs; that of the new window is not there yet.
            mask: bool [B, N], which nodes there are, the new one among them.
            steps: int64 [B, N], their seconds.
            newest: bool [B, N], the place of the new one.
            similarity: float32 [B, N, N], of every two nodes; those of the new one are not there yet.

        Returns:
            embeddings float32 [B, D] of the windows; scores [B, 20] of the newest node in the light of
            its graph; evidence [B, N, 20] of every node, 0 where there is none; row [B, N], the new
            node's similarities.
        """
        embeddings: Tensor = self.embedder(log_mel)
        here = newest.unsqueeze(-1)
        nodes = torch.where(here, embeddings.unsqueeze(1), nodes)
        row = self.mmgat.row(embeddings, nodes)
        similarity = torch.where(newest.unsqueeze(1), row.unsqueeze(2), similarity)
        similarity = torch.where(here, row.unsqueeze(1), similarity)
        scores, attention = self.read(InstanceGraph(nodes, mask, steps, similarity))
        return embeddings, (scores * here).sum(1), attention * scores, row


class WholeGraphModel(_GraphReader):
    """MMGAT on graphs whose nodes are all there: the windows of a file, many at once.

    It says what ``StreamingModel`` says of the same windows one after the other.

    Args:
        mmgat: reads the graphs.
        layout: of their neighbours; chosen by the size of the batch if not given.
    """

    def forward(
        self, nodes: Tensor, mask: Tensor, steps: Tensor, newest: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Reads B graphs of N nodes; see ``StreamingModel``.

        Returns:
            scores float32 [B, 20] of the newest nodes, bag scores float32 [B, 20].
        """
        scores, attention = self.read(self.mmgat.graph(nodes, mask, steps))
        return (scores * newest.unsqueeze(-1)).sum(1), (attention * scores).sum(1)
