"""How values leave what torch records, for both watches; MicroPython runs this too."""

# what gives a value without its history, and how a reader writes it
WRITTEN = {
    "detach": ".detach()",
    "detach_": ".detach_()",
    "data": ".data",
    "tensor": "torch.tensor(...)",
}
# what leaves torch, so that the value cannot be followed
LEFT = {
    "item": ".item()",
    "tolist": ".tolist()",
    "numpy": ".numpy()",
    "__array__": "NumPy",
    "__float__": "float(...)",
}
# what fills a tensor with numbers that come from no other
FILLS = {"uniform_", "normal_", "zero_", "fill_", "trunc_normal_", "bernoulli_"}
