"""Modules: parameters, buffers, children, state, hooks; and the containers."""

from collections import OrderedDict, namedtuple

import torch
from torch import Tensor
from torch._state import refuse
from torch.nn._names import typename
from torch.nn.parameter import Buffer, Parameter


_MISSING = set(
    "compile get_extra_state set_extra_state register_backward_hook to_empty "
    "register_full_backward_hook register_full_backward_pre_hook share_memory "
    "register_load_state_dict_post_hook register_load_state_dict_pre_hook "
    "register_state_dict_post_hook register_state_dict_pre_hook".split()
)


class _IncompatibleKeys(
    namedtuple("_IncompatibleKeys", ["missing_keys", "unexpected_keys"])
):
    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        missing, unexpected = self.missing_keys, self.unexpected_keys
        return (
            f"_IncompatibleKeys(missing_keys={missing}, unexpected_keys={unexpected})"
        )

    __str__ = __repr__


class RemovableHandle:
    """Removes a hook."""

    last = 0

    def __init__(self, hooks):
        self.hooks = hooks
        RemovableHandle.last += 1
        self.id = RemovableHandle.last

    def remove(self):
        self.hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def _hooked(hooks, hook, first, prepend=False):
    handle = RemovableHandle(hooks)
    kept = list(hooks.items())
    if prepend:
        hooks.clear()
    hooks[handle.id] = (hook, first)
    if prepend:
        for key, entry in kept:
            hooks[key] = entry
    return handle


def _indented(text):
    return text.replace("\n", "\n  ")


def _check_name(module, kind, name, own):
    if not isinstance(name, str):
        raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
    taken = KeyError(f"attribute '{name}' already exists")
    if kind == "module" and hasattr(module, name) and name not in own:
        raise taken
    if "." in name:
        got = f", got: {name}" if kind == "module" else ""
        raise KeyError(f'{kind} name can\'t contain "."{got}')
    if name == "":
        raise KeyError(f'{kind} name can\'t be empty string ""')
    if hasattr(module, name) and name not in own:
        raise taken


class Module:
    """The base class of all modules."""

    dump_patches = False
    call_super_init = False
    _version = 1

    def __init__(self, *args, **kwargs):
        if args or kwargs:
            name = type(self).__name__
            if kwargs:
                word = f"got an unexpected keyword argument '{next(iter(kwargs))}'"
            else:
                word = f"takes 1 positional argument but {len(args) + 1} were given"
            raise TypeError(f"{name}.__init__() {word}")
        set_ = object.__setattr__
        set_(self, "training", True)
        for name in ("_parameters", "_buffers", "_modules"):
            set_(self, name, OrderedDict())
        for name in ("_forward_hooks", "_forward_pre_hooks"):
            set_(self, name, OrderedDict())
        set_(self, "_non_persistent_buffers_set", set())

    def forward(self, *_, **__):
        name = type(self).__name__
        raise NotImplementedError(
            f'Module [{name}] is missing the required "forward" function'
        )

    def __call__(self, *args, **kwargs):
        own = self.__dict__
        if "_forward_hooks" not in own:
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '_forward_hooks'"
            )
        for hook, with_kwargs in list(own["_forward_pre_hooks"].values()):
            if with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        result = self.forward(*args, **kwargs)
        for hook, with_kwargs in list(own["_forward_hooks"].values()):
            if with_kwargs:
                changed = hook(self, args, kwargs, result)
            else:
                changed = hook(self, args, result)
            if changed is not None:
                result = changed
        return result

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        return _hooked(self._forward_pre_hooks, hook, with_kwargs, prepend)

    def register_forward_hook(
        self, hook, *, prepend=False, with_kwargs=False, always_call=False
    ):
        return _hooked(self._forward_hooks, hook, with_kwargs, prepend)

    # Attributes ------------------------------------------------------------------

    def __getattr__(self, name):
        own = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            found = own.get(kind)
            if found is not None and name in found:
                return found[name]
        if name in _MISSING:
            refuse("torch.nn.Module." + name)
        raise AttributeError(
            f"'{type(self).__name__}' object has no attribute '{name}'"
        )

    def _forget(self, name, *kinds):
        if name in self.__dict__:
            object.__delattr__(self, name)
        for kind in kinds:
            self.__dict__[kind].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __setattr__(self, name, value):
        own = self.__dict__
        parameters = own.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError(
                    "cannot assign parameters before Module.__init__() call"
                )
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
            return
        if parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
            return
        modules = own.get("_modules")
        if isinstance(value, Module):
            if modules is None:
                raise AttributeError(
                    "cannot assign module before Module.__init__() call"
                )
            self._forget(name, "_parameters", "_buffers")
            modules[name] = value
            return
        if modules is not None and name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            modules[name] = value
            return
        buffers = own.get("_buffers")
        is_buffer = isinstance(value, Buffer)
        if is_buffer or (buffers is not None and name in buffers):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            persistent = name not in self._non_persistent_buffers_set
            self.register_buffer(
                name, value, value.persistent if is_buffer else persistent
            )
            return
        object.__setattr__(self, name, value)

    def __delattr__(self, name):
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        elif name in self.__dict__:
            object.__delattr__(self, name)
        else:
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '{name}'"
            )

    def register_buffer(self, name, tensor, persistent=True):
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        _check_name(self, "buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name, param):
        if "_parameters" not in self.__dict__:
            raise AttributeError(
                "cannot assign parameter before Module.__init__() call"
            )
        _check_name(self, "parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model "
                f"parameters must be created explicitly. To express '{name}' "
                "as a function of another Tensor, compute the value in "
                "the forward() method."
            )
        self._parameters[name] = param

    def add_module(self, name, module):
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        _check_name(self, "module", name, self._modules)
        self._modules[name] = module

    def register_module(self, name, module):
        self.add_module(name, module)

    # Walking through -------------------------------------------------------------

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        memo = set() if memo is None else memo
        if id(self) not in memo:
            if remove_duplicate:
                memo.add(id(self))
            yield prefix, self
            for name, module in self._modules.items():
                if module is not None:
                    below = prefix + ("." if prefix else "") + name
                    yield from module.named_modules(memo, below, remove_duplicate)

    def modules(self):
        for _, module in self.named_modules():
            yield module

    def named_children(self):
        memo = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in memo:
                memo.add(id(module))
                yield name, module

    def children(self):
        for _, module in self.named_children():
            yield module

    def _named(self, kind, prefix, recurse, remove_duplicate):
        memo = set()
        if recurse:
            modules = self.named_modules(
                prefix=prefix, remove_duplicate=remove_duplicate
            )
        else:
            modules = [(prefix, self)]
        for where, module in modules:
            for name, value in module.__dict__[kind].items():
                if value is not None and id(value) not in memo:
                    if remove_duplicate:
                        memo.add(id(value))
                    yield where + ("." if where else "") + name, value

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        for _, value in self.named_parameters("", recurse):
            yield value

    def buffers(self, recurse=True):
        for _, value in self.named_buffers("", recurse):
            yield value

    def _reached(self, target):
        found = self
        for name in target.split(".") if target else ():
            if not hasattr(found, name):
                raise AttributeError(f"{found._get_name()} has no attribute `{name}`")
            found = getattr(found, name)
            if not isinstance(found, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return found

    def get_submodule(self, target):
        return self._reached(target)

    def _member(self, target, holds, what):
        where, _, name = target.rpartition(".")
        module = self._reached(where)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if not holds(module, name):
            raise AttributeError(f"`{name}` is not {what}")
        return getattr(module, name)

    def get_parameter(self, target):
        def holds(module, name):
            return isinstance(getattr(module, name), Parameter)

        return self._member(target, holds, "an nn.Parameter")

    def get_buffer(self, target):
        return self._member(target, lambda m, name: name in m._buffers, "a buffer")

    def set_submodule(self, target, module, strict=False):
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        where, _, name = target.rpartition(".")
        parent = self._reached(where)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    # Changing all ----------------------------------------------------------------

    def apply(self, fn):
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn, recurse=True):
        if recurse:
            for module in self.children():
                module._apply(fn)
        with torch.no_grad():
            for param in self._parameters.values():
                if param is not None:
                    grad = param.grad
                    param.data = fn(param.data)
                    if grad is not None:
                        param.grad = fn(grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args, **kwargs):
        for given in list(args) + list(kwargs.values()):
            dtype = given.dtype if isinstance(given, Tensor) else given
            if isinstance(dtype, torch.dtype) and not dtype.is_floating_point:
                raise TypeError(
                    "nn.Module.to only accepts floating point or complex dtypes, "
                    f"but got desired dtype={dtype}"
                )

        def moved(t):
            if t.is_floating_point():
                return t.to(*args, **kwargs)
            return t

        return self._apply(moved)

    def type(self, dst_type):
        return self._apply(lambda t: t.to(dst_type))

    def _floats(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self):
        return self._floats(torch.float32)

    def double(self):
        return self._floats(torch.float64)

    def half(self):
        return self._floats(torch.float16)

    def bfloat16(self):
        return self._floats(torch.bfloat16)

    def cpu(self):
        return self

    def train(self, mode=True):
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        for p in self.parameters():
            if p.grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p.grad = torch.zeros_like(p.grad)

    # State -----------------------------------------------------------------------

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        if args:
            destination = args[0]
            prefix = args[1] if len(args) > 1 else prefix
            keep_vars = args[2] if len(args) > 2 else keep_vars
        found = StateDict() if destination is None else destination
        if isinstance(found, StateDict):
            found._metadata[prefix[:-1]] = {"version": self._version}
        own = self._parameters.items(), self._buffers.items()
        for members in own:
            for name, value in members:
                if value is not None and name not in self._non_persistent_buffers_set:
                    found[prefix + name] = value if keep_vars else value.detach()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=found, prefix=prefix + name + ".", keep_vars=keep_vars
                )
        return found

    def _load_from_state_dict(
        self, state_dict, prefix, metadata, strict, missing, unexpected, errors
    ):
        local = OrderedDict()
        for members in (self._parameters, self._buffers):
            for name, value in members.items():
                if value is not None and name not in self._non_persistent_buffers_set:
                    local[name] = value
        for name, param in local.items():
            key = prefix + name
            if key not in state_dict:
                missing.append(key)
                continue
            given = state_dict[key]
            if not isinstance(given, Tensor):
                errors.append(
                    f'While copying the parameter named "{key}", '
                    "expected torch.Tensor or Tensor-like object from checkpoint but "
                    f"received {type(given)}"
                )
                continue
            if param.dim() == 0 and given.dim() == 1 and given.shape[0] == 1:
                given = given[0]
            if given.shape != param.shape:
                errors.append(
                    f"size mismatch for {key}: copying a param with shape "
                    f"{given.shape} from checkpoint, the shape in current model "
                    f"is {param.shape}."
                )
                continue
            if metadata.get("assign_to_params_buffers", False):
                if isinstance(param, Parameter):
                    given = Parameter(given, param.requires_grad)
                setattr(self, name, given)
                continue
            with torch.no_grad():
                param.copy_(given)
        for key in state_dict:
            if key.startswith(prefix):
                parts = key[len(prefix) :].split(".", 1)
                if len(parts) > 1:
                    if parts[0] not in self._modules:
                        unexpected.append(key)
                elif parts[0] not in local:
                    unexpected.append(key)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        if not hasattr(state_dict, "keys"):
            raise TypeError(
                f"Expected state_dict to be dict-like, got {type(state_dict)}."
            )
        missing, unexpected, errors = [], [], []
        metadata = getattr(state_dict, "_metadata", {})

        def load(module, state, prefix):
            local = dict(metadata.get(prefix[:-1], {}))
            local["assign_to_params_buffers"] = assign
            module._load_from_state_dict(
                state, prefix, local, True, missing, unexpected, errors
            )
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    pairs = [(k, v) for k, v in state.items() if k.startswith(below)]
                    load(child, OrderedDict(pairs), below)

        load(self, OrderedDict(list(state_dict.items())), "")
        if strict:
            for keys, word in ((unexpected, "Unexpected"), (missing, "Missing")):
                if keys:
                    named = ", ".join([f'"{key}"' for key in keys])
                    errors.insert(0, f"{word} key(s) in state_dict: {named}. ")
        if errors:
            text = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{text}"
            )
        return _IncompatibleKeys(missing, unexpected)

    def _copied(self, copy):
        new = object.__new__(type(self))
        for name, value in self.__dict__.items():
            object.__setattr__(new, name, copy(value))
        return new

    def __copy__(self):
        return self._copied(lambda value: value)

    def __deepcopy__(self, memo):
        import copy

        new = object.__new__(type(self))
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            object.__setattr__(new, name, copy.deepcopy(value, memo))
        return new

    # Printing --------------------------------------------------------------------

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        extra = extra.split("\n") if extra else []
        children = [
            f"({name}): {_indented(repr(module))}"
            for name, module in self._modules.items()
        ]
        text = self._get_name() + "("
        if len(extra) == 1 and not children:
            text += extra[0]
        elif extra or children:
            text += "\n  " + "\n  ".join(extra + children) + "\n"
        return text + ")"


class StateDict(OrderedDict):
    """What state_dict() gives: remembers the version of each module."""

    def __init__(self, *args):
        super().__init__(*args)
        self._metadata = {}

    def copy(self):
        new = StateDict(list(self.items()))
        new._metadata = self._metadata
        return new

    def __deepcopy__(self, memo):
        import copy

        new = StateDict([(k, copy.deepcopy(v, memo)) for k, v in self.items()])
        new._metadata = self._metadata
        return new

    def __repr__(self):
        return f"OrderedDict({dict.__repr__(self)})"


# Containers ------------------------------------------------------------------------


def _place(module, index):
    size = len(module)
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of range")
    return index % size


class _Numbered(Module):
    """What Sequential and ModuleList share: children under their numbers."""

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(list(self._modules.values()))

    def __setitem__(self, index, module):
        setattr(self, list(self._modules)[_place(self, index)], module)

    def __delitem__(self, index):
        keys = list(self._modules)
        gone = keys[index] if isinstance(index, slice) else [keys[_place(self, index)]]
        for key in gone:
            delattr(self, key)
        kept = enumerate(list(self._modules.values()))
        self._modules = OrderedDict([(str(i), module) for i, module in kept])

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        if not hasattr(modules, "__iter__") and not isinstance(modules, (list, tuple)):
            modules = iter(modules)
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index, module):
        size = len(self)
        if not -size <= index <= size:
            raise IndexError(f"Index out of range: {index}")
        modules = list(self._modules.values())
        modules.insert(index, module)
        for i, each in enumerate(modules):
            self._modules[str(i)] = each
        return self

    def pop(self, key):
        found = self[key]
        del self[key]
        return found

    def __iadd__(self, modules):
        return self.extend(modules)


class Sequential(_Numbered):
    def __init__(self, *args):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            pairs = list(args[0].items())
        else:
            pairs = [(str(i), module) for i, module in enumerate(args)]
        for name, module in pairs:
            self.add_module(name, module)

    def __getitem__(self, index):
        items = list(self._modules.items())
        if isinstance(index, slice):
            return type(self)(OrderedDict(items[index]))
        return items[_place(self, index)][1]

    def _joined(self, others):
        for other in others:
            if not isinstance(other, Sequential):
                raise ValueError(
                    "add operator supports only objects of Sequential class, "
                    f"but {type(other)} is given."
                )
        return Sequential(*[module for other in others for module in other])

    def __add__(self, other):
        return self._joined([self, other])

    def __mul__(self, times):
        if not isinstance(times, int):
            raise TypeError(
                f"unsupported operand type(s) for *: {type(self)} and {type(times)}"
            )
        if times <= 0:
            raise ValueError(
                f"Non-positive multiplication factor {times} for {type(self)}"
            )
        return self._joined([self] * times)

    __rmul__ = __mul__

    def forward(self, input):
        for module in list(self._modules.values()):
            input = module(input)
        return input


class ModuleList(_Numbered):
    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index):
        modules = list(self._modules.values())
        if isinstance(index, slice):
            return type(self)(modules[index])
        return modules[_place(self, index)]

    def __add__(self, other):
        return ModuleList(list(self) + list(other))

    def __repr__(self):
        if not len(self):
            return self._get_name() + "()"
        blocks = []
        for i, module in enumerate(self):
            text = repr(module)
            if blocks and blocks[-1][2] == text:
                blocks[-1][1] = i
            else:
                blocks.append([i, i, text])
        lines = []
        for first, last, text in blocks:
            head = f"({first}): "
            if first != last:
                head = f"({first}-{last}): {last - first + 1} x "
            lines.append(_indented(head + text))
        return self._get_name() + "(\n  " + "\n  ".join(lines) + "\n)"


def _pairs(given):
    return list(given.items()) if hasattr(given, "items") else list(given)


class ModuleDict(Module):
    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        self._modules.clear()

    def pop(self, key):
        return self._modules.pop(key)

    def keys(self):
        return self._modules.keys()

    def items(self):
        return self._modules.items()

    def values(self):
        return self._modules.values()

    def update(self, modules):
        for key, module in _pairs(modules):
            self[key] = module


def _described(key, value, dtype):
    if not isinstance(value, Tensor):
        return f"  ({key}): Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    size = "x".join([str(s) for s in value.shape])
    return f"  ({key}): {kind} containing: [{dtype(value)} of size {size}]"


def _parameter(value):
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


class ParameterList(Module):
    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(_place(self, index)))

    def __setitem__(self, index, value):
        setattr(self, str(_place(self, index)), _parameter(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter([self[i] for i in range(self._size)])

    def append(self, value):
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values):
        if isinstance(values, Tensor):
            raise TypeError(
                "ParameterList.extend should be called with an iterable, "
                f"but got {type(values).__name__}"
            )
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values):
        return self.extend(values)

    def extra_repr(self):
        lines = [_described(i, p, lambda p: p.dtype) for i, p in enumerate(self)]
        return "\n".join(lines)

    def __call__(self, *_, **__):
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    def __init__(self, parameters=None):
        super().__init__()
        self._keys = OrderedDict()
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key):
        return getattr(self, key)

    def __setitem__(self, key, value):
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a "
                f"string (type is '{type(key).__name__}'). Open an issue on github if "
                "you need non-string keys."
            )
        self._keys[key] = None
        setattr(self, key, _parameter(value))

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, key)

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(list(self._keys))

    def __contains__(self, key):
        return key in self._keys

    def keys(self):
        return self._keys.keys()

    def items(self):
        return [(key, self[key]) for key in self._keys]

    def values(self):
        return [self[key] for key in self._keys]

    def get(self, key, default=None):
        return self[key] if key in self._keys else default

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key):
        found = self[key]
        del self[key]
        return found

    def clear(self):
        for key in self:
            del self[key]

    def update(self, parameters):
        pairs = _pairs(parameters)
        if isinstance(parameters, dict) and not isinstance(parameters, OrderedDict):
            pairs = sorted(pairs, key=lambda pair: pair[0])
        for key, value in pairs:
            self[key] = value

    def extra_repr(self):
        return "\n".join([_described(k, p, typename) for k, p in self.items()])

    def __call__(self, *_):
        raise RuntimeError("ParameterDict should not be called.")
