"""Records what JAX computes with symbolic dimensions, for tests/ir/dims*.test.ts.

Usage: PYTHONHASHSEED=0 python scripts/data/make_dims.py > tests/data/dims.json
Needs jax. Every case is computed in a scope of its own, because JAX caches bounds per scope and
they depend on what was asked before.
"""

import itertools
import json
import math
import operator
import random
import re
import tokenize

import jax
from jax import core, export, tree_util
from jax._src import core as core_internal
from jax._src.export import shape_poly

HELP = shape_poly.InconclusiveDimensionOperation._help_msg
BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "max": core_internal.max_dim,
    "min": core_internal.min_dim,
}
COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
CONSTRAINTS = [
    [],
    ["a >= b"],
    ["a >= 4", "b <= 16"],
    ["a + b <= 8"],
    ["a == 2*b"],
    ["mod(b, 4) == 0"],
    ["mod(b, 3) == 0", "a >= b"],
    ["floordiv(b, 2) == a"],
    ["a*b == c + d"],
    ["4*b == c"],
    ["2*a >= 3*b + 1", "c <= a"],
    ["max(a, b) == c", "c >= 2"],
    ["min(a, b) >= 3"],
    ["a >= b + 2", "b >= 8", "c >= a - b"],
    ["floordiv(a, 3) >= 2", "mod(a, 3) >= 1"],
    ["a == b", "b == c"],
    ["3*a == 2*b + 1"],
    ["a^2 == b"],
    ["b == 6"],
    ["max(a, b) == b"],
    ["a == floordiv(b, 2)", "b >= 4"],
    ["mod(a, b) == 1", "b >= 2"],
    ["b <= 0"],
    ["a <= 2*b", "b <= c", "c <= 10"],
    ["b^2 <= 50"],
]


def clean(error):
  """The message without the constant help text and without what differs from run to run."""
  message = str(error).removesuffix(HELP)
  return re.sub(r"scope \d+ created at [^\n]*?(?= with constraints|\n|$)", "scope #", message)


def build(tree, scope):
  """A dimension from a tree of lists ["op", left, right], variable names and numbers."""
  if isinstance(tree, int):
    return tree
  if isinstance(tree, str):
    return export.symbolic_shape(tree, scope=scope)[0]
  op, *operands = tree
  if op == "pow":
    return build(operands[0], scope) ** operands[1]
  values = [build(operand, scope) for operand in operands]
  return -values[0] if op == "neg" else BINARY[op](*values)


def finite(x):
  return None if math.isinf(x) else int(x)


def attempt(compute):
  try:
    return compute()
  except ZeroDivisionError:
    return {"error": "division by zero"}
  except (ValueError, core_internal.InconclusiveDimensionOperation) as error:
    is_inconclusive = isinstance(error, core_internal.InconclusiveDimensionOperation)
    kind = "inconclusive" if is_inconclusive else "value"
    return {"error": clean(error), "kind": kind, "help": str(error).endswith(HELP)}


def bounds(dim):
  lower, upper = shape_poly._bounds_decision(dim, shape_poly.BoundsPrecision.BEST)
  return [finite(lower), finite(upper)]


def expression_case(constraints, tree):
  dim = attempt(lambda: build(tree, export.SymbolicScope(constraints)))
  case = {"constraints": constraints, "tree": tree}
  if isinstance(dim, dict):
    return {**case, **dim}
  case["result"] = str(dim)
  try:
    case["bounds"] = attempt(lambda: bounds(build(tree, export.SymbolicScope(constraints))))
  except (OverflowError, AssertionError):
    pass  # JAX fails for powers and products of what may be negative and is unbounded
  return case


def comparison_case(constraints, left, comparison, right):
  def compare():
    scope = export.SymbolicScope(constraints)
    return bool(COMPARISONS[comparison](build(left, scope), build(right, scope)))
  result = attempt(compare)
  case = {"constraints": constraints, "left": left, "comparison": comparison, "right": right}
  return {**case, **result} if isinstance(result, dict) else {**case, "result": result}


def random_tree(rng, depth, variables):
  if depth == 0 or rng.random() < 0.15:
    return rng.choice(variables) if rng.random() < 0.65 else rng.choice([-3, -1, 0, 1, 2, 3, 4, 5, 8])
  op = rng.choice(["add", "add", "sub", "sub", "mul", "mul", "floordiv", "mod", "max", "min", "neg", "pow"])
  left = random_tree(rng, depth - 1, variables)
  if op == "neg":
    return [op, left]
  if op == "pow":
    return [op, left, rng.randint(0, 3)]
  right = random_tree(rng, depth - 1, variables)
  if op in ("floordiv", "mod") and rng.random() < 0.7:
    right = rng.choice([2, 3, 4, 5, 7, -2, -3])
  return [op, left, right]


def random_cases(rng, count, make):
  """Cases that JAX answers; it fails with internal errors for some."""
  cases = []
  while len(cases) < count:
    try:
      cases.append(make(rng.choice(CONSTRAINTS) if rng.random() < 0.6 else []))
    except (OverflowError, AssertionError, AttributeError, RecursionError):
      continue
  return cases


WRITTEN_EXPRESSIONS = [
    # Exact division, and division that is kept.
    ["floordiv", ["add", ["mul", "a", "b"], "a"], ["add", "b", 1]],
    ["mod", ["add", ["mul", "a", "b"], "a"], ["add", "b", 1]],
    ["mod", ["add", ["mul", 6, "a"], 4], 3],
    ["floordiv", ["add", ["mul", 6, "a"], 4], 3],
    ["floordiv", ["add", ["mul", 4, "b"], 3], 4],
    ["floordiv", ["add", ["mul", 4, "b"], -3], 4],
    ["floordiv", ["mul", "a", "b"], "b"],
    ["floordiv", ["mul", ["pow", "a", 3], "b"], ["pow", "a", 2]],
    ["floordiv", "b", 2],
    ["mod", ["add", "b", 1], 2],
    ["floordiv", 5, "b"],
    ["mod", 0, "b"],
    ["mod", 5, "b"],
    ["floordiv", "b", -2],
    ["mod", "b", -2],
    ["floordiv", "b", 0],
    ["floordiv", ["sub", ["pow", "a", 2], 1], ["sub", "a", 1]],
    ["floordiv", ["sub", ["pow", "a", 2], ["pow", "b", 2]], ["sub", "a", "b"]],
    ["add", ["mul", 2, ["floordiv", "b", 2]], ["mod", "b", 2]],
    ["sub", ["mul", 2, ["floordiv", "b", 2]], "b"],
    ["floordiv", ["floordiv", "b", 2], 3],
    ["mod", ["mod", "b", 6], 3],
    # Maxima and minima that the bounds decide, or not.
    ["max", "b", 0],
    ["max", 0, "b"],
    ["max", "b", 1],
    ["max", 2, "b"],
    ["max", "b", 2],
    ["max", "a", "b"],
    ["max", "b", "a"],
    ["min", "a", ["add", "a", "b"]],
    ["min", ["mul", 2, "a"], "a"],
    ["max", ["sub", "a", "b"], 0],
    ["max", ["add", "a", 1], ["max", "a", "b"]],
    ["min", ["floordiv", "b", 2], "b"],
    ["max", ["mod", "b", 3], 3],
    ["max", ["mod", "b", 3], 2],
    ["sub", ["max", "a", "b"], ["min", "a", "b"]],
    ["max", ["floordiv", "a", ["sub", "b", 1]], 2],
    # Windows and slices, as in convolutions.
    ["max", ["add", ["floordiv", ["sub", "b", 3], 2], 1], 0],
    ["add", ["floordiv", ["sub", ["add", "b", 2], 3], 2], 1],
    ["max", 0, ["sub", "b", 5]],
    # Term order and printing.
    ["add", ["add", "c", "b"], "a"],
    ["add", ["add", ["pow", "a", 2], ["mul", "a", "b"]], ["pow", "b", 2]],
    ["sub", 3, ["add", "a", "b"]],
    ["neg", "b"],
    ["mul", ["add", "a", "b"], ["sub", "a", "b"]],
    ["pow", ["add", "a", "b"], 3],
    ["mul", ["floordiv", "a", 2], ["mod", "b", 3]],
    ["mul", ["mul", ["max", "a", "b"], "z"], ["pow", ["min", "a", "b"], 2]],
    ["add", ["floordiv", ["add", "a", "b"], 2], ["floordiv", "a", 2]],
    ["mul", -1, ["max", ["sub", "b", 3], -2]],
    ["pow", "b", 0],
    ["sub", "b", "b"],
    ["add", "batch_1", "Batch"],
    ["add", ["mul", 3, "z"], ["mul", 2, ["mul", "x", "y"]]],
]

WRITTEN_COMPARISONS = [
    ([], ["add", "b", 1], ">=", 1),
    ([], ["add", "b", 1], ">=", "b"),
    ([], "a", ">=", "b"),
    ([], "a", "==", "b"),
    ([], "a", "==", "a"),
    ([], ["add", "a", "b"], ">=", "b"),
    ([], ["add", "a", 1], ">=", "b"),
    ([], 4, ">=", "b"),
    ([], 4, "<", "b"),
    ([], 4, ">", "b"),
    ([], 0, "<", "b"),
    ([], "b", "==", 5),
    ([], ["mul", 2, "b"], ">", "b"),
    ([], ["mul", "a", "b"], ">=", "a"),
    ([], ["mod", "b", 3], "<", 3),
    ([], ["mod", "b", 3], "<=", 1),
    ([], ["floordiv", "b", 2], "<=", "b"),
    ([], ["floordiv", ["add", "b", 1], 2], "<=", "b"),
    ([], ["max", "a", "b"], ">=", "b"),
    ([], ["min", "a", "b"], "<=", "b"),
    ([], ["sub", "b", ["mod", "b", 3]], ">=", 0),
    ([], ["pow", "b", 2], ">=", "b"),
    (["a >= b"], "a", ">=", "b"),
    (["a >= b"], "a", ">", "b"),
    (["a >= b"], "b", "<=", ["add", "a", 1]),
    (["a >= b", "b >= 16"], "a", ">=", 16),
    (["a >= b", "b >= 16"], "a", ">=", 17),
    (["a >= b", "b >= c"], "a", ">=", "c"),
    (["b <= 16"], "b", "<=", 20),
    (["b <= 16"], "b", "<=", 10),
    (["mod(b, 3) == 0"], ["mul", 3, ["floordiv", "b", 3]], "==", "b"),
    (["a*b == c + d"], ["sub", ["mul", "a", "b"], "d"], "==", "c"),
    (["b >= 10", "b <= 8"], "b", ">=", 9),
    (["a >= b + 2", "b >= a"], "a", ">=", 9),
]

SHAPES = [
    # (text, like)
    ("b", None), ("(b, 3)", None), ("b,", None), ("", None), ("()", None), ("((a, b))", None),
    ("(b, _, _)", (1, 2, 3)), ("b, ...", (4, 5, 6)), ("...", (1, 2)), ("...", ()), (None, (2, 3)),
    ("2*b, d + 15", None), ("a, 2*a, a*b, a^2, 3*a^2*b - 4", None), ("-b + 3", None), ("+b", None),
    ("- 2*b", None), ("b*-2", None), ("a - - 3", None), ("a--b", None), ("2^3", None), ("b^0", None),
    ("floordiv(a, 2), mod(a, 3), max(a, b), min(a, 3)", None),
    ("floordiv(4*b, 4)", None), ("mod(8, 3)", None), ("floordiv(a, b), floordiv(2, a)", None),
    ("max(3, 4), max(a, 1)", None), ("max(min(a, 5), 2)", None), ("floordiv(floordiv(a, 2) + 1, 3)", None),
    (" b ,  3 ", None), ("b\n", None), ("1_000", None), ("über, b2, _x, B", None), ("floordiv(a,2)^2*b", None),
    ("b, 3", (1, 3)), ("_", (None,)), ("b, _", (1, 7)), ("b, _, _", (1, 7)), ("b, ...", (None, 2)),
    ("b, ...", (1, None)), ("b, ...", ()), ("b, 3", (1, 4)), ("_, 3", (None, 3)), ("...", None), ("_", None),
    ("..., b", (1, 2)), ("a b", None), ("a,,b", None), ("(a", None), ("a)", None), ("(a, b", None),
    ("a +", None), ("a *", None), ("*a", None), ("a ^", None), ("a^b", None), ("a^-1", None), ("a / 2", None),
    ("a // 2", None), ("a % 2", None), ("a ** 2", None), ("2.5", None), ("0x10", None), ("010", None),
    ("3b", None), ("a.b", None), ("a[0]", None), ("'a'", None), ("a; b", None), ("a == b", None),
    ("a$", None), ("$", None), ("?", None), ("a # b", None), ("max(a)", None), ("max(a, b, c)", None),
    ("max a", None), ("floordiv()", None), ("mod(a, )", None), ("(a)(b)", None), ("a, (b)", None),
    ("a - (b + c)", None), ("1e3", None), ("2j", None), ("a\nb", None), ("a,\nb", None), ("a:b", None),
    ("a<=b", None), ("@", None), ("a, b]", None), ("~a", None), ("a != b", None), ("a -> b", None),
    ("....", (1, 2)), ("..", None), (".5", None), ("-", None), ("-a", None), ("--a", None), ("-_", (1,)),
    ("_ + 1", (1,)), ("2*_", (3,)), ("non_negative", None),
]

SYSTEMS = [
    # (constraints, shapes of the arguments, shapes of calls)
    ([], ["a, a + b"], [[[2, 5]], [[2, 2]], [[2, 1]]]),
    ([], ["b, b, 2*d"], [[[3, 3, 6]], [[3, 3, 5]], [[3, 4, 6]]]),
    ([], ["a, b, a*b"], [[[2, 3, 6]], [[2, 3, 7]], [[0, 3, 0]]]),
    ([], ["a*b"], []),
    ([], ["a + b"], []),
    ([], ["a*b", "a, b + c"], []),
    ([], ["a^2"], []),
    ([], ["floordiv(a, 2)"], []),
    ([], ["a*b", "a"], []),
    ([], ["a*b, a, b"], [[[6, 2, 3]], [[7, 2, 3]]]),
    ([], ["2*a + 3*b, b"], [[[8, 2]], [[9, 2]], [[6, 2]]]),
    ([], ["- a + 10"], [[[3]], [[10]], [[12]]]),
    ([], ["5 - 2*a"], [[[3]], [[2]]]),
    ([], ["a + floordiv(b, 2), b"], [[[5, 3]], [[1, 3]]]),
    ([], ["a, mod(a, 3), max(a, b), b"], [[[5, 2, 7, 7]], [[5, 1, 7, 7]], [[5, 2, 6, 7]]]),
    ([], ["a, floordiv(a, b), b"], [[[7, 2, 3]], [[7, 3, 3]]]),
    ([], ["a, mod(a, b - 2), b"], [[[7, 1, 4]]]),
    ([], ["b, 3", "b"], [[[2, 3], [2]], [[2, 3], [3]]]),
    (["b >= 4"], ["b"], [[[4]], [[3]]]),
    (["a == 2*b"], ["a", "b"], [[[4], [2]], [[4], [4]], [[3], [1]]]),
    (["a >= b", "b <= 3"], ["a, b"], [[[3, 2]], [[1, 2]], [[9, 4]]]),
    (["mod(b, 4) == 0"], ["b"], [[[8]], [[6]]]),
    (["floordiv(b, 2) == a"], ["a, b"], [[[2, 5]], [[3, 5]]]),
    (["c >= 2"], ["b"], []),
    (["max(a, b) == c"], ["a, b, c"], [[[2, 3, 3]], [[2, 3, 2]]]),
    (["a*b == c"], ["a, b"], [[[2, 3]]]),
    ([], ["b", "b + 1", "b + 2", "b + 3"], [[[2], [3], [4], [5]], [[2], [3], [4], [6]]]),
    ([], ["2*a, 3*b, 5*c, a + b + c"], [[[4, 9, 25, 10]], [[4, 9, 25, 11]], [[4, 9, 24, 10]]]),
    ([], [", ".join(f"v{i:02}" for i in range(20)) + ", v00 + v19"], [[list(range(1, 21)) + [22]]]),
    ([], [", ".join(f"v{i:02}" for i in range(40))], [[[2] * 20 + [0] + [2] * 19], [[2] * 39 + [0]]]),
]

CONSTRAINT_ERRORS = [
    ["a > b"], ["a"], ["a >= "], ["a + b == c"], ["1 == a"], ["a == b", "a == c"], ["1 >= 2"], ["a - a == 1"],
    ["a >= a + 1"], ["a >= b, c"], ["a, b >= c"], [">= 1"], ["a >= b >= c"], ["a == b == c"],
    ["2*a == b", "a == c"], ["a == a"], ["2 == 2"],
]


def shape_case(text, like):
  case = {"text": text, "like": None if like is None else list(like)}
  try:
    shape = export.symbolic_shape(text, like=like)
  except IndexError:
    return {**case, "fails": True}
  except (ValueError, tokenize.TokenError) as error:
    if isinstance(error, tokenize.TokenError) or "syntax error" not in str(error):
      return {**case, "fails": True}
    return {**case, "error": str(error)}
  return {**case, "result": [str(d) for d in shape]}


def system_case(constraints, texts, calls):
  scope = export.SymbolicScope(constraints)
  shapes = [export.symbolic_shape(text, scope=scope) for text in texts]
  avals = tuple(core.ShapedArray(shape, "float32") for shape in shapes)
  tree = tree_util.tree_structure((tuple(range(len(shapes))), {}))
  case = {"constraints": constraints, "shapes": texts, "printed": [str(s) for s in shapes]}
  try:
    solution, checks, sizes = shape_poly.solve_dim_vars(avals, args_kwargs_tree=tree)
  except ValueError as error:
    # The names are printed from a set.
    names = lambda m: "{" + ", ".join(sorted(m.group(1).split(", "))) + "}"
    return {**case, "error": re.sub(r"\{(.*?)\}", names, str(error), count=1)}
  except shape_poly.UnexpectedDimVar as error:
    return {**case, "error": str(error)}
  case["calls"] = []
  for call in calls:
    values = {name: call[i][axis] for name, i, axis in sizes}
    evaluator = shape_poly.ShapeEvaluator(values)
    try:
      checks.check_statically(evaluator)
      result = {"values": {v: int(evaluator.evaluate(e)) for v, e in sorted(solution.items())}}
    except ValueError as error:
      result = {"error": str(error)}
    case["calls"].append({"shapes": call, **result})
  return case


def constraint_case(constraints):
  try:
    export.SymbolicScope(constraints)
    return {"constraints": constraints}
  except (ValueError, NotImplementedError) as error:
    return {"constraints": constraints, "error": str(error)}


def mixing_cases():
  """Messages about two scopes, by operation."""
  cases = []
  for name in [*BINARY, *COMPARISONS]:
    a, = export.symbolic_shape("a")
    b, = export.symbolic_shape("b", constraints=["b >= 2"])
    operation = BINARY.get(name) or COMPARISONS[name]
    result = attempt(lambda: operation(a, b))
    cases.append({"operation": name, **(result if isinstance(result, dict) else {"result": bool(result)})})
  return cases


def division_cases():
  cases = []
  for dividend, divisor in [("b, 5, 7", "2, 3"), ("b, 4", "2"), ("b", "a"), ("a, b", "b"), ("6*a", "3, a"),
                            ("0", "0"), ("7", "2"), ("b, 0", "0"), ("2*b + 1", "2"), ("b", "b, 2")]:
    scope = export.SymbolicScope()
    shapes = [export.symbolic_shape(text, scope=scope) for text in (dividend, divisor)]
    result = attempt(lambda: core_internal.divide_shape_sizes(*shapes))
    cases.append({"dividend": dividend, "divisor": divisor,
                  **(result if isinstance(result, dict) else {"result": str(result)})})
  return cases


def main():
  rng = random.Random(20)
  variables = ["a", "b", "c"]
  written = [expression_case([], tree) for tree in WRITTEN_EXPRESSIONS]
  for constraints, tree in itertools.product(CONSTRAINTS[1:], WRITTEN_EXPRESSIONS[:36:3]):
    try:
      written.append(expression_case(constraints, tree))
    except (AttributeError, AssertionError, OverflowError, RecursionError):
      pass
  data = {
      "jax": jax.__version__,
      "expressions": written + random_cases(
          rng, 700, lambda c: expression_case(c, random_tree(rng, rng.choice([1, 2, 2, 3]), variables))),
      "comparisons": [comparison_case(*case) for case in WRITTEN_COMPARISONS] + random_cases(
          rng, 400, lambda c: comparison_case(
              c, random_tree(rng, rng.choice([1, 2]), variables), rng.choice([*COMPARISONS]),
              random_tree(rng, rng.choice([0, 1, 2]), variables))),
      "shapes": [shape_case(*case) for case in SHAPES],
      "systems": [system_case(*case) for case in SYSTEMS],
      "constraints": [constraint_case(case) for case in CONSTRAINT_ERRORS],
      "mixing": mixing_cases(),
      "divisions": division_cases(),
  }
  # One case per line.
  parts = []
  for key, value in data.items():
    if isinstance(value, list):
      value = "[\n" + ",\n".join(json.dumps(case) for case in value) + "\n]"
    else:
      value = json.dumps(value)
    parts.append(f"{json.dumps(key)}: {value}")
  print("{\n" + ",\n".join(parts) + "\n}")


if __name__ == "__main__":
  main()
