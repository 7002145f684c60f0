"""mix2stan: R mixed-model calls to Stan programs and posterior draws."""

from mix2stan.compiler import compile_model
