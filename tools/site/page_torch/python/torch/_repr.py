def text(x):
    return "tensor(" + str(x.tolist()) + ")"
