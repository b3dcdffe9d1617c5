"""Trains a small CNN on handwritten digits and writes what jax2tfjs needs.

    pip install jax flax optax safetensors scikit-learn
    python train.py            # under a minute on a laptop

Writes model.jaxexport (the program), params.safetensors (its weights) and test.npz (the
test images, their labels and JAX's own logits, to compare the converted model with).
"""
import flax.linen as nn
import jax
import numpy as np
import optax
from flax.traverse_util import flatten_dict
from jax import export
from safetensors.flax import save_file
from sklearn.datasets import load_digits


class DigitsCNN(nn.Module):
    @nn.compact
    def __call__(self, images):  # [b, 8, 8, 1], 0 = paper, 1 = ink
        x = nn.relu(nn.Conv(16, (3, 3))(images))
        x = nn.relu(nn.Conv(32, (3, 3))(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Dense(64)(x.reshape((x.shape[0], -1))))
        return nn.Dense(10)(x)


def load_data():
    """1437 training and 360 test images of 8x8 pixels; the data's pixels are 0 .. 16."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    labels = digits.target.astype(np.int32)
    order = np.random.RandomState(0).permutation(len(images))
    return images[order[:1437]], labels[order[:1437]], images[order[1437:]], labels[order[1437:]]


def train(model, images, labels, epochs=12, batch=64):
    params = model.init(jax.random.PRNGKey(0), images[:1])
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, epochs * (len(images) // batch)))
    state = optimizer.init(params)

    @jax.jit
    def step(params, state, x, y):
        def loss(params):
            logits = model.apply(params, x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    rng = np.random.RandomState(1)
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            chosen = order[start : start + batch]
            params, state = step(params, state, images[chosen], labels[chosen])
    return params


model = DigitsCNN()
train_images, train_labels, test_images, test_labels = load_data()
params = train(model, train_images, train_labels)
logits = np.asarray(jax.jit(model.apply)(params, test_images))
right = int((logits.argmax(-1) == test_labels).sum())
print(f"{right} of {len(test_labels)} test images right")

# The three lines that matter: any number of images, the program, the weights.
images = jax.ShapeDtypeStruct(export.symbolic_shape("b, 8, 8, 1"), np.float32)
open("model.jaxexport", "wb").write(export.export(jax.jit(model.apply))(params, images).serialize())
save_file(flatten_dict(params, sep="/"), "params.safetensors")
np.savez_compressed("test.npz", images=test_images, labels=test_labels, logits=logits)
