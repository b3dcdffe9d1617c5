/**
 * Two-dimensional convolution in groups of features, which tfjs has for groups of one feature
 * (depthwise) only. Called by convLowering.ts.
 */
import { floordivDims, mulDims, type Dim } from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import { node2D, type Convolution } from "./convNode.js";
import { at, staticSize, upTo } from "./support.js";

/** Groups of up to this many features are depthwise convolutions whose results are added up. */
const fewFeatures = 8;
/** Up to this many groups are convolutions of their own. */
const fewGroups = 4;

type Convolve = (tf: Tf, x: Tensor, filter: Tensor, conv: Convolution) => Tensor;

/**
 * x: [n, h, w, groups * each]; filter: [h, w, each, groups * multiplier]. `convolve` computes a
 * convolution without groups.
 */
export function convolveGroups(
  tf: Tf,
  x: Tensor,
  filter: Tensor,
  conv: Convolution,
  convolve: Convolve,
): Tensor {
  const groups = conv.featureGroups;
  const each = at(filter.shape, 2);
  if (each === 1) return depthwise(tf, x, filter, conv);
  const size = staticSize(each);
  const splittable = size !== null && staticSize(at(filter.shape, 3)) !== null;
  const small = size !== null && size <= fewFeatures;
  if (groups > fewGroups && (small || !splittable)) return depthwiseThenSum(tf, x, filter, conv);
  if (splittable) return separately(tf, x, filter, conv, convolve);
  return depthwiseThenSum(tf, x, filter, conv);
}

function depthwise(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const [height = 0, width = 0, , features = 0] = filter.shape;
  const multiplier = floordivDims(features, conv.featureGroups);
  const kernel = tf.reshape(filter, [height, width, conv.featureGroups, multiplier]);
  const node = node2D(tf, x, filter.shape, conv, features);
  return tf.depthwiseConv2D(node.x, kernel, node.options);
}

/** Every input feature by itself, then the sum over the features of each group. */
function depthwiseThenSum(tf: Tf, x: Tensor, filter: Tensor, conv: Convolution): Tensor {
  const groups = conv.featureGroups;
  const [height = 0, width = 0, each = 0, features = 0] = filter.shape;
  const multiplier = floordivDims(features, groups);
  const split = tf.reshape(filter, [height, width, each, groups, multiplier]);
  const moved = tf.transpose(split, [0, 1, 3, 2, 4]);
  const kernel = tf.reshape(moved, [height, width, mulDims(groups, each), multiplier]);
  const node = node2D(tf, x, filter.shape, conv, mulDims(mulDims(groups, each), multiplier));
  const products = tf.depthwiseConv2D(node.x, kernel, node.options);
  const [batch = 0, rows = 0, columns = 0] = products.shape;
  const positions: Dim = mulDims(mulDims(batch, rows), columns);
  const grouped = tf.reshape(products, [mulDims(positions, groups), each, multiplier]);
  return tf.reshape(tf.reduce("Sum", grouped, [1]), [batch, rows, columns, features]);
}

/** One convolution for each group. */
function separately(
  tf: Tf,
  x: Tensor,
  filter: Tensor,
  conv: Convolution,
  convolve: Convolve,
): Tensor {
  const groups = conv.featureGroups;
  const each = staticSize(at(filter.shape, 2));
  const features = staticSize(at(filter.shape, 3));
  if (each === null || features === null) {
    throw new Jax2TfjsError("symbolic-size", "groups of symbolic size cannot be split");
  }
  const inputs = tf.split(
    x,
    upTo(groups).map(() => each),
    3,
  );
  const filters = tf.split(
    filter,
    upTo(groups).map(() => features / groups),
    3,
  );
  const single = { ...conv, featureGroups: 1 };
  const results = inputs.map((input, group) => convolve(tf, input, at(filters, group), single));
  return tf.concat(results, 3);
}
