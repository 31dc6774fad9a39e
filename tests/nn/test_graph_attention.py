"""Gates, attention and the networks built of them: by a policy, or not at all."""

from fractions import Fraction

import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.linearize import Graph, path_length  # noqa: E402
from gpdeep.nn import graph_of  # noqa: E402

TOKENS = torch.zeros(2, 5, 8)


def length(model, example, products="value", **options):
    return path_length(graph_of(model, example), products=products, exact=True, **options).exact


# ------------------------------------------------------------------------------------------- gates


class SqueezeExcite(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, width, 3, padding=1), nn.AdaptiveAvgPool2d(1)
        self.down, self.up = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1)

    def forward(self, x):
        x = F.relu(self.conv(x))
        return x * torch.sigmoid(self.up(F.relu(self.down(self.pool(x)))))


def test_squeeze_and_excite_needs_a_policy():
    graph = graph_of(SqueezeExcite(), (1, 3, 4, 4))
    with pytest.raises(DomainError, match=r"'mul' multiplies tensors"):
        path_length(graph)
    assert path_length(graph, products="value").value == 1.0
    assert path_length(graph, products="merge").value == 0.5 * (1 + 3)
    assert path_length(graph, products="merge", count={"product": 1}).value == 3.0
    assert path_length(graph, products="merge", count={"sigmoid": 0}).value == 1.5
    assert path_length(graph_of(SqueezeExcite(), (1, 3, 4, 4), products="value")).value == 1.0


GATES = {
    "glu": (lambda s, x: F.glu(s.two(F.relu(x)), dim=-1), 1, Fraction(3, 2)),
    "glu by hand": (lambda s, x: by_halves(s.two(F.relu(x)), torch.sigmoid), 1, Fraction(3, 2)),
    "swiglu": (lambda s, x: F.silu(s.a(F.relu(x))) * s.b(F.relu(x)), 1, Fraction(3, 2)),
    "geglu the other way round": (lambda s, x: s.b(F.relu(x)) * F.gelu(s.a(F.relu(x))), 1, Fraction(3, 2)),
    "wavenet": (lambda s, x: torch.tanh(s.a(x)) * torch.sigmoid(s.b(F.relu(x))), 1, Fraction(3, 2)),
    "highway": (lambda s, x: highway(s, x), Fraction(1, 2), Fraction(3, 4)),
    "divided by a norm": (lambda s, x: F.relu(x) / F.relu(x).norm(dim=-1, keepdim=True), 1, None),
    "softmax over channels": (lambda s, x: F.relu(x) * F.softmax(s.a(F.relu(x)), dim=-1), 1, 1),
    "hard mask of other numbers": (lambda s, x: F.relu(s.a(x)) * (s.b(x) > 0), 1, None),
    "where of other numbers": (lambda s, x: torch.where(s.b(x) > 0, F.relu(x), s.a(x)), Fraction(1, 2), None),
    "masked by other numbers": (lambda s, x: F.relu(x).masked_fill(s.b(x) > 0, 0.0), 1, None),
    "bilinear": (lambda s, x: s.bilinear(x, F.relu(x)), None, Fraction(1, 2)),
    "two features": (lambda s, x: s.a(x) * s.b(F.relu(x)), None, Fraction(1, 2)),
}


def by_halves(x, function):
    a, b = x.chunk(2, dim=-1)
    return a * function(b)


def highway(s, x):
    t = torch.sigmoid(s.a(x))
    return t * F.relu(s.b(x)) + (1 - t) * x


class Gate(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.function = forward
        self.a, self.b, self.two = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 16)
        self.bilinear = nn.Bilinear(8, 8, 8)

    def forward(self, x):
        return self.function(self, x)


@pytest.mark.parametrize("name", GATES)
def test_gates_follow_the_features_or_merge(name):
    forward, value, merge = GATES[name]
    graph = graph_of(Gate(forward), torch.ones(2, 8))
    with pytest.raises(DomainError, match="have no agreed path length"):
        path_length(graph)
    for policy, expected in (("value", value), ("merge", merge)):
        if expected is None:
            with pytest.raises(DomainError):
                path_length(graph, products=policy)
        else:
            assert path_length(graph, products=policy, exact=True).exact == expected
    if value is None:  # the user says which
        assert [
            path_length(graph, products={"mul" if name != "bilinear" else "bilinear.mul": k}).value for k in (0, 1)
        ] == [0.0, 1.0]


# ------------------------------------------------------------------------------------------- attention


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_an_encoder_layer_has_half_a_unit(norm_first, layers):
    """Two residual sub-blocks: attention adds 0, the feed-forward ReLU is a unit on one of two branches."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first, activation="gelu")
    model = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    assert length(model, TOKENS) == Fraction(layers, 2)
    with pytest.raises(DomainError, match="have no agreed path length"):
        path_length(graph_of(model, TOKENS))


def test_layers_of_a_transformer_are_its_feed_forward_units():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1).eval()
    found = path_length(graph_of(layer, TOKENS), products="value")
    assert [(x.channels, x.nonlinear) for x in found.layers] == [(16, 16)]


def test_encoder_and_decoder():
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    # decoder: x1 = x + self, x2 = x1 + cross(memory), x3 = x2 + ff; memory has 1/2 of a unit.
    encoder = Fraction(1, 2)
    cross = Fraction(1, 2) * 0 + Fraction(1, 2) * encoder
    assert length(model, (TOKENS, torch.zeros(2, 3, 8))) == Fraction(1, 2) * cross + Fraction(1, 2) * (cross + 1)


def test_attention_merges_queries_keys_and_values():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.MultiheadAttention(8, 2, batch_first=True)
            self.stem = nn.Linear(8, 8)

        def forward(self, x):
            x = self.stem(x)
            y = F.relu(x)
            return self.inner(x, y, F.relu(y * 2), need_weights=False)[0]

    assert length(Attention(), TOKENS) == 2
    # the value (2) and the weights (merged of queries 0 and keys 1) are merged
    assert length(Attention(), TOKENS, "merge") == Fraction(1, 2) * (2 + Fraction(1, 2))


class Handmade(nn.Module):
    """Self-attention as written in many ways."""

    def __init__(self, way, width=8, heads=2):
        super().__init__()
        self.way, self.heads = way, heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("mask", torch.tril(torch.ones(64, 64)))

    def forward(self, x):
        b, t, c = x.shape
        h, d = self.heads, c // self.heads
        if self.way == "chunk":
            q, k, v = (y.view(b, t, h, d).transpose(1, 2) for y in self.qkv(x).chunk(3, dim=-1))
        elif self.way == "vit":
            q, k, v = self.qkv(x).reshape(b, t, 3, h, d).permute(2, 0, 3, 1, 4).unbind(0)
        elif self.way == "einsum":
            q, k, v = (y.view(b, t, h, d) for y in self.qkv(x).split(c, dim=2))
            scores = torch.einsum("bthd,bshd->bhts", q, k) / d**0.5
            y = torch.einsum("bhts,bshd->bthd", torch.softmax(scores, -1), v)
            return self.out(y.reshape(b, t, c))
        else:
            q, k, v = (y.view(b, t, h, d).transpose(1, 2) for y in self.qkv(x).split(c, dim=2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(y.transpose(1, 2).contiguous().view(b, t, c))
        att = (q @ k.transpose(-2, -1)) * d**-0.5
        if self.way == "chunk":
            att = att.masked_fill(self.mask[:t, :t] == 0, float("-inf"))
        y = F.dropout(F.softmax(att, dim=-1), 0.1, self.training) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = Handmade(way)
        self.mlp = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


@pytest.mark.parametrize("way", ["chunk", "vit", "einsum", "fused"])
def test_attention_written_by_hand(way):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), Block(way), Block(way))
    assert length(model, TOKENS) == 2
    by_hand = Graph.input(8).dense(8)
    one = by_hand.relu()
    value = one.dense(8)
    scores = one.dense(8).dense(2, groups=2).product(one.dense(8).dense(2, groups=2), policy="merge")
    merged = value.product(scores.flatten(4), policy="merge").dense(8)
    single = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), Handmade(way))
    for weight in ("branch", "path"):
        found = length(single, TOKENS, "merge", weight=weight)
        assert found == path_length(Graph.of(merged), weight=weight, exact=True).exact


def test_heads_stay_apart_in_attention():
    """A mask on the values of one head is seen in that head alone, and scores are each head's own."""

    class Heads(nn.Module):
        def forward(self, x):
            b, t, c = x.shape
            split = F.prelu(x.transpose(1, 2), torch.tensor([0.0] * 4 + [1.0] * 4)).transpose(1, 2)
            q = x.view(b, t, 2, 4).transpose(1, 2)
            v = split.reshape(b, t, 2, 4).transpose(1, 2)
            return F.scaled_dot_product_attention(q, q, v).transpose(1, 2).reshape(b, t, c)

    graph = graph_of(Heads(), TOKENS, channel_axis=-1)
    wires = graph.wires()
    each = [path_length(Graph.of(wires[-1][[c]]), products="value").value for c in range(8)]
    assert each == [1.0] * 4 + [0.0] * 4


def test_vision_transformer():
    class ViT(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(3, 8, 4, stride=4)
            self.cls, self.pos = nn.Parameter(torch.zeros(1, 1, 8)), nn.Parameter(torch.zeros(1, 5, 8))
            self.blocks = nn.Sequential(Block("vit"), Block("fused"))
            self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 10)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], dim=1) + self.pos
            return self.head(self.norm(self.blocks(x))[:, 0])

    assert length(ViT(), (2, 3, 8, 8)) == 1


def test_windows_that_are_shifted_as_in_swin():
    class Windows(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.attention = nn.Conv2d(3, 8, 1), Handmade("vit")

        def forward(self, x):
            x = F.relu(self.stem(x)).permute(0, 2, 3, 1)
            b, h, w, c = x.shape
            y = torch.roll(x, (-1, -1), dims=(1, 2)).view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5)
            y = self.attention(y.contiguous().view(-1, 4, c))
            y = y.view(b, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(b, h, w, c)
            return (x + torch.roll(y, (1, 1), dims=(1, 2))).permute(0, 3, 1, 2)

    assert length(Windows(), (2, 3, 4, 4)) == 1


def test_mlp_mixer_mixes_positions_without_dense_edges():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 2, stride=2)
            self.tokens = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 4))
            self.channels = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

        def forward(self, x):
            x = self.stem(x).flatten(2).transpose(1, 2)
            x = x + self.tokens(x.transpose(1, 2)).transpose(1, 2)
            x = x + self.channels(x)
            return x.mean(dim=1)

    graph = graph_of(Mixer(), (2, 3, 4, 4))
    assert path_length(graph).value == 1.0
    assert [x.channels for x in path_length(graph).layers] == [8, 16]


# ------------------------------------------------------------------------------------------- refusals


def test_attention_weights_as_output_are_refused():
    class Weights(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.inner(x, x, x)[1]

    with pytest.raises(DomainError, match="weights"):
        graph_of(Weights(), TOKENS)


class LinearAttention(nn.Module):
    """(kᵀv) has a channel for each pair."""

    def __init__(self, phi):
        super().__init__()
        self.phi, self.qkv = phi, nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])

    def forward(self, x):
        q, k, v = (layer(x) for layer in self.qkv)
        return self.phi(q) @ (self.phi(k).transpose(1, 2) @ F.relu(v).relu())


def test_linear_attention_follows_the_values_where_keys_are_gates_by_their_looks():
    graph = graph_of(LinearAttention(torch.sigmoid), TOKENS)
    assert path_length(graph, products="value").value == 2.0
    with pytest.raises(DomainError, match="channel axis is lost"):
        path_length(graph, products="merge")
    with pytest.raises(DomainError, match="channel axis is lost"):
        graph_of(LinearAttention(torch.tanh), TOKENS)


def test_attention_between_channels():
    """As in XCiT: weights (channels, channels) of queries and keys are a gate, and mix all channels of a head."""

    class Channels(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])

        def forward(self, x):
            b, t, c = x.shape
            q, k, v = (layer(x).view(b, t, 2, c // 2).permute(0, 2, 3, 1) for layer in self.qkv)
            v = F.prelu(v.reshape(b, c, t), torch.tensor([0.0] * 4 + [1.0] * 4)).view(b, 2, c // 2, t)
            attention = F.dropout(torch.softmax(q @ k.transpose(-2, -1), dim=-1), 0.1, self.training)
            return (attention @ v).permute(0, 3, 1, 2).reshape(b, t, c)

    graph = graph_of(Channels(), TOKENS)
    wires = graph.wires()
    each = [path_length(Graph.of(wires[-1][[c]]), products="value").value for c in range(8)]
    assert each == [1.0] * 4 + [0.0] * 4
    with pytest.raises(DomainError, match="channel axis is lost"):
        path_length(graph, products="merge")


def test_heads_that_talk_and_queries_that_share_heads():
    class Talking(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(2, 2)

        def forward(self, x):
            y = F.relu(x).view(2, 5, 2, 4).transpose(1, 2)
            weights = torch.softmax(y @ y.transpose(2, 3), -1)
            weights = self.mix(weights.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return (weights @ y).transpose(1, 2).reshape(2, 5, 8)

    class Grouped(nn.Module):
        def forward(self, x):
            y = F.relu(x)
            q, k = y.view(2, 5, 4, 2).transpose(1, 2), y[..., :4].reshape(2, 5, 2, 2).transpose(1, 2)
            out = F.scaled_dot_product_attention(q, k, k, enable_gqa=True)
            return out.transpose(1, 2).reshape(2, 5, 8)

    for model in (Talking(), Grouped()):
        assert path_length(graph_of(model, TOKENS, channel_axis=-1), products="value").value == 1.0
