"""Training steps of PyTorch, the peer of `crates/nn/examples/steps`. See `cargo xtask bench steps`.

Usage: python torch_steps.py eager|opt|compile, with lines `W n` on standard input."""
import sys, json, time, os
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS','2')))
MODE = sys.argv[1]  # eager | opt | compile
OPT = MODE != "eager"
U = np.uint64
def sm(z):
    with np.errstate(over='ignore'):
        z = z + U(0x9E3779B97F4A7C15)
        z = (z ^ (z >> U(30))) * U(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U(27))) * U(0x94D049BB133111EB)
        return z ^ (z >> U(31))
def raw(seed, n): return sm(U(seed << 32) + np.arange(n, dtype=np.uint64))
def rnd(seed, shape, scale=1.0):
    n = int(np.prod(shape))
    v = ((raw(seed, n) >> U(40)).astype(np.float32) / np.float32(8388608.0) - np.float32(1.0)) * np.float32(scale)
    return torch.from_numpy(v.reshape(shape).copy())
def lab(seed, n, k): return torch.from_numpy((raw(seed, n) % U(k)).astype(np.int64))
class PP:
    seed = 0
    def t(self, s, scale): self.seed += 1; return nn.Parameter(rnd(self.seed, s, scale))
    def c(self, s, v): return nn.Parameter(torch.full(s, float(v)))
    def lin(self, i, o):
        l = nn.Linear(i, o)
        l.weight.data = self.t([i, o], 1 / i ** 0.5).data.t().contiguous(); l.bias.data.zero_()
        return l
    def ln(self, n): return nn.LayerNorm(n)
class CNN(nn.Module):
    def __init__(s, p):
        super().__init__()
        s.c1 = nn.Conv2d(1, 16, 3, padding=1); s.c2 = nn.Conv2d(16, 32, 3, padding=1)
        s.c1.weight = p.t([16, 1, 3, 3], 1 / 3.0); s.c2.weight = p.t([32, 16, 3, 3], 1 / 12.0)
        s.c1.bias.data.zero_(); s.c2.bias.data.zero_(); s.fc = p.lin(1568, 10)
    def forward(s, x):
        x = F.max_pool2d(F.relu(s.c1(x)), 2); x = F.max_pool2d(F.relu(s.c2(x)), 2)
        return s.fc(x.flatten(1))
class Blk(nn.Module):
    def __init__(s, p):
        super().__init__()
        s.n1 = p.ln(64); s.qkv = p.lin(64, 192); s.o = p.lin(64, 64); s.n2 = p.ln(64); s.m1 = p.lin(64, 128); s.m2 = p.lin(128, 64)
    def forward(s, x):
        n, t, _ = x.shape
        q, k, v = s.qkv(s.n1(x)).view(n, t, 3, 4, 16).permute(2, 0, 3, 1, 4)
        if OPT: a = F.scaled_dot_product_attention(q, k, v)
        else: a = torch.softmax((q @ k.transpose(2, 3)) * 0.25, -1) @ v
        x = x + s.o(a.transpose(1, 2).reshape(n, t, 64))
        return x + s.m2(F.gelu(s.m1(s.n2(x))))
class ViT(nn.Module):
    def __init__(s, p):
        super().__init__()
        s.e = p.lin(16, 64); s.pos = p.t([1, 49, 64], 0.1); s.b = nn.Sequential(*[Blk(p) for _ in range(4)]); s.n = p.ln(64); s.h = p.lin(64, 10)
    def forward(s, x): return s.h(s.n(s.b(s.e(x) + s.pos)).mean(1))
class MoE(nn.Module):
    def __init__(s, p):
        super().__init__()
        s.r = p.lin(64, 8); A = []; B = []
        for _ in range(8): A.append(p.lin(64, 128)); B.append(p.lin(128, 64))
        s.a = nn.ModuleList(A); s.b = nn.ModuleList(B)
    def forward(s, x):
        g, idx = torch.softmax(s.r(x), 1).topk(2, 1)
        g = g / g.sum(1, keepdim=True)
        y = torch.zeros_like(x)
        for e in range(8):
            tok, k = torch.where(idx == e)
            if tok.numel() == 0: continue
            h = s.b[e](F.relu(s.a[e](x[tok] if not OPT else x.index_select(0, tok))))
            y = y.index_add(0, tok, h * g[tok, k].unsqueeze(1))
        return y
class KAN(nn.Module):
    def __init__(s, p):
        super().__init__()
        s.s1 = p.c([784], 1); s.l1 = p.lin(7840, 64); s.s2 = p.c([64], 1); s.l2 = p.lin(640, 10)
        s.register_buffer("k", torch.tensor([1., 2., 3., 4., 5.]).view(1, 1, 5))
    def lay(s, x, sc, l):
        u = (x * sc).unsqueeze(-1) * s.k
        return l(torch.cat([u.sin(), u.cos()], -1).flatten(1))
    def forward(s, x): return s.lay(s.lay(x, s.s1, s.l1), s.s2, s.l2)
class GRU(nn.Module):
    def __init__(s, p):
        super().__init__()
        i = p.lin(28, 192); h = p.lin(64, 192); s.o = p.lin(64, 10)
        if MODE == "opt":
            s.g = nn.GRU(28, 64, batch_first=True)
            s.g.weight_ih_l0.data = i.weight.data; s.g.weight_hh_l0.data = h.weight.data
            s.g.bias_ih_l0.data.zero_(); s.g.bias_hh_l0.data.zero_()
        else: s.i = i; s.h = h
    def forward(s, x):
        if MODE == "opt": return s.o(s.g(x)[1][0])
        xg = s.i(x); h = torch.zeros(x.shape[0], 64)
        for t in range(x.shape[1]):
            xr, xz, xn = xg[:, t].chunk(3, 1); hr, hz, hn = s.h(h).chunk(3, 1)
            r = torch.sigmoid(xr + hr); z = torch.sigmoid(xz + hz); n = torch.tanh(xn + r * hn)
            h = n + z * (h - n)
        return s.o(h)
def mlp(p, d):
    L = []
    for i in range(len(d) - 1):
        L.append(p.lin(d[i], d[i + 1]))
        if i + 2 < len(d): L.append(nn.ReLU())
    return nn.Sequential(*L)
def make(w):
    p = PP()
    if w[0] == "O" and w != "OF":
        R = lambda s, sh: rnd(s, sh).requires_grad_()
        l, n = p.lin(64, 192), p.ln(64)
        x3, x4, xg, q, k, b3 = R(1000, [64, 49, 64]), R(1001, [64, 4, 49, 49]), R(1002, [64, 49, 128]), R(1003, [64, 4, 49, 16]), R(1004, [64, 4, 49, 16]), R(1005, [64, 49, 64])
        f = {"OA": lambda: l(x3).mean(), "OB": lambda: (n(x3) * b3).mean(), "OC": lambda: (torch.softmax(x4, 3) * x4).mean(), "OD": lambda: F.gelu(xg).mean(),
             "OE": lambda: (q @ k.transpose(2, 3)).mean(), "OG": lambda: (x3 + b3).mean()}[w]
        def step():
            for t in (x3, x4, xg, q, k, b3, *l.parameters(), *n.parameters()): t.grad = None
            y = f(); y.backward(); return y.item()
        return step
    if w == "OF":
        m = nn.ModuleList([p.lin(64, 192), p.lin(64, 64), p.lin(64, 128), p.lin(128, 64), p.lin(784, 256)])
        o = torch.optim.Adam([l.weight for l in m], lr=1e-3, fused=True if OPT else None)
        def step():
            o.zero_grad(); y = sum(l.weight.mean() for l in m); y.backward(); o.step(); return y.item()
        return step
    ce = F.cross_entropy
    if w == "W1": m = mlp(p, [784, 256, 256, 10]); x, y = rnd(1000, [128, 784]), lab(1001, 128, 10)
    if w == "W7": m = mlp(p, [4, 32, 32, 2]); x, y = rnd(1000, [32, 4]), lab(1001, 32, 2)
    if w == "W2": m = CNN(p); x, y = rnd(1000, [64, 1, 28, 28]), lab(1001, 64, 10)
    if w == "W3": m = ViT(p); x, y = rnd(1000, [64, 49, 16]), lab(1001, 64, 10)
    if w == "W4": m = MoE(p); x, y = rnd(1000, [2048, 64]), rnd(1001, [2048, 64]); ce = F.mse_loss
    if w == "W5": m = KAN(p); x, y = rnd(1000, [256, 784]), lab(1001, 256, 10)
    if w == "W6": m = GRU(p); x, y = rnd(1000, [128, 28, 28]), lab(1001, 128, 10)
    opt = torch.optim.Adam(m.parameters(), lr=1e-3, fused=True if OPT else None)
    def fwd(x, y): return ce(m(x), y)
    if MODE == "compile": fwd = torch.compile(fwd)
    def step():
        opt.zero_grad(); l = fwd(x, y); l.backward(); opt.step(); return l.item()
    return step
W = {}
for line in sys.stdin:
    w, n = line.split(); n = int(n)
    try:
        if w not in W: W[w] = make(w)
        f = W[w]; T = []; L = []
        for _ in range(n):
            s = time.perf_counter(); l = f(); T.append((time.perf_counter() - s) * 1e3); L.append(l)
        print(json.dumps({"t": T, "l": L}), flush=True)
    except Exception as ex:
        print(json.dumps({"err": repr(ex)[:300]}), flush=True)
