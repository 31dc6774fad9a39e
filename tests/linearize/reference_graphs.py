"""The networks whose path lengths are known, written as graphs."""

from gpdeep.linearize import Graph


def skip_over_four():
    x = h = Graph.input(1)
    for _ in range(4):
        h = h.dense(4).relu()
    return Graph.of(x + h.dense(1))


def plain20():
    h = Graph.input(3)
    for _ in range(19):
        h = h.dense(16).relu()
    return Graph.of(h.dense(10))


def cifar_resnet(blocks, option, active=None):
    """He's ResNet for CIFAR; `active`: the share of each ReLU's channels that is active, the first ones."""

    def relu(h):
        k = h.channels if active is None else round(active * h.channels)
        return h.relu([1] * k + [0] * (h.channels - k))

    h = relu(Graph.input(3).dense(16).normalise())
    for width in (16, 32, 64):
        for _ in range(blocks):
            shortcut = h
            if h.channels != width:
                extra = (width - h.channels) // 2
                shortcut = h.pad(extra, extra) if option == "A" else h.dense(width).normalise()
            branch = relu(h.dense(width).normalise()).dense(width).normalise()
            h = relu(branch + shortcut)
    return Graph.of(h.copy("pool").dense(10))


def preact(blocks, width=16, layers=2, active=None):
    mask = None if active is None else [1] * round(active * width) + [0] * (width - round(active * width))
    x = Graph.input(3).dense(width)
    for _ in range(blocks):
        h = x
        for _ in range(layers):
            h = h.relu(mask).dense(width)
        x = x + h
    return Graph.of(x.relu(mask).dense(10))


def inception_c4():
    x = Graph.input(3).dense(4)
    one = x.dense(4).relu()
    two = x.dense(4).relu().dense(8).relu()
    three = x.dense(4).relu().dense(4).relu().dense(4).relu()
    return Graph.of(Graph.concat(one, two, three).dense(2))


def nested_skips():
    x = Graph.input(2).dense(2)
    u = x + x.dense(2).relu()
    y = u + u.dense(2).relu().dense(2).relu().dense(2)
    return Graph.of((x + y).dense(2))


def threeway(writing):
    x = Graph.input(2).dense(2)
    a = x.dense(2).relu().dense(2)
    b = x.dense(2).relu().dense(2).relu().dense(2)
    total = {"left": (x + a) + b, "right": x + (a + b), "flat": x.add(a, b)}[writing]
    return Graph.of(total.dense(2))


def masked_chain():
    h = Graph.input(2)
    for width, mask in ((3, [1, 0, 0]), (2, [1, 1]), (4, [0, 1, 1, 1])):
        h = h.dense(width).relu(mask)
    return Graph.of(h.dense(2))


def masked_post_resnet():
    masks = iter([[1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 0]])
    h = Graph.input(2).dense(3).relu(next(masks))
    for _ in range(3):
        h = (h.dense(3).relu(next(masks)).dense(3) + h).relu(next(masks))
    return Graph.of(h.dense(2))


GRAPHS = {
    "fig1_skip_over_4_layers_width4": skip_over_four,
    "plain20": plain20,
    "resnet20_cifar_optionB": lambda: cifar_resnet(3, "B"),
    "resnet20_cifar_optionA": lambda: cifar_resnet(3, "A"),
    "resnet32_cifar_optionA": lambda: cifar_resnet(5, "A"),
    "resnet56_cifar_optionB": lambda: cifar_resnet(9, "B"),
    "resnet110_cifar_optionB": lambda: cifar_resnet(18, "B"),
    "resnet110_cifar_optionA": lambda: cifar_resnet(18, "A"),
    "resnet20_optionB_p0.25": lambda: cifar_resnet(3, "B", 0.25),
    "preact_9blocks_w16": lambda: preact(9),
    "inception_c4": inception_c4,
    "nested_skips_c2": nested_skips,
    "threeway_left_c2": lambda: threeway("left"),
    "threeway_right_c2": lambda: threeway("right"),
    "masked_chain": masked_chain,
    "masked_post_resnet_seed0": masked_post_resnet,
}
