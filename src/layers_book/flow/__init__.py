"""Diagrams of what goes where: boxes on a grid, arrows between them, as one SVG."""

from layers_book.flow.diagram import Flow, Node, draw_flow

__all__ = ["Flow", "Node", "draw_flow"]
