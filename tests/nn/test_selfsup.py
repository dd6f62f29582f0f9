"""Losses without labels beside plain loops, and what a teacher remembers."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from libcell.errors import UsageFault
from libcell.nn import selfsup

STEPS = 10  # of an epoch


class Flat(nn.Module):
    """Pixels as features, whatever the size of the view."""

    num_features = 6

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3, 6)

    def forward(self, pixels):
        return self.line(pixels.mean(dim=(2, 3)))


def learner(method, **options):
    torch.manual_seed(0)
    return selfsup.build(method, Flat(), STEPS, options).train()


def views(n=8, count=3, seed=1):
    torch.manual_seed(seed)
    return torch.randn(2 * n, 3, 8, 8), torch.randn(count * n, 3, 4, 4)


def test_the_folder_is_the_list():
    assert selfsup.names() == ["dino", "simclr", "vicreg"]
    for name in selfsup.names():
        assert selfsup.load(name).SUMMARY.endswith(".")
    with pytest.raises(UsageFault, match="byol: there is none; there are dino"):
        selfsup.load("byol")
    with pytest.raises(UsageFault, match="unknown option anwsers; it has answers"):
        selfsup.options("dino", {"anwsers": "3"})
    with pytest.raises(UsageFault, match="answers=many"):
        selfsup.options("dino", {"answers": "many"})
    assert selfsup.options("dino", {"answers": "64"}).answers == 64


@pytest.mark.parametrize("given", [{"teacher": 0}, {"student": -1}, {"answers": 1}])
def test_options_that_cannot_be(given):
    with pytest.raises(UsageFault, match="--method dino"):
        learner("dino", **given)
    with pytest.raises(UsageFault, match="--method simclr"):
        learner("simclr", temperature=0)


# -- dino ----------------------------------------------------------------------------------


def test_dino_is_the_mean_over_pairs_of_different_views():
    """As the paper's algorithm 1 writes it: a loop over views, the teacher's own left out."""
    made = learner("dino", answers=12, teacher_start=0.05, teacher=0.05)
    made.centre.normal_()
    n, (whole, local) = 8, views()
    loss, figures = made(whole, local)
    with torch.no_grad():
        told = ((made.teacher(whole) - made.centre) / 0.05).softmax(dim=1).split(n)
        said = [functional.log_softmax(made.student(v) / 0.1, dim=1)
                for v in (*whole.split(n), *local.split(n))]
    terms = [-(t * s).sum(dim=1).mean() for i, t in enumerate(told)
             for j, s in enumerate(said) if i != j]
    assert len(terms) == 2 * 4
    torch.testing.assert_close(loss, torch.stack(terms).mean())
    chances = torch.cat(told)
    entropy = -(chances * chances.log()).sum(dim=1).mean()
    torch.testing.assert_close(figures["entropy"], entropy)
    torch.testing.assert_close(figures["kl"], loss.detach() - entropy)


def test_the_teacher_learns_from_the_student_alone():
    made = learner("dino", answers=12, momentum=0.9, frozen=0)
    whole, local = views()
    made(whole, local)[0].backward()
    assert all(p.grad is None for p in made.teacher.parameters())
    assert all(p.grad is not None for p in made.student.parameters())
    before = [p.clone() for p in made.teacher.parameters()]
    with torch.no_grad():
        for p in made.student.parameters():
            p.add_(1.0)
    made.after_step(5, 10)  # half way the momentum is half way from 0.9 to 1
    for old, new in zip(before, made.teacher.parameters()):
        torch.testing.assert_close(new, old + 0.05, rtol=1e-4, atol=1e-6)
    made.after_step(10, 10)
    for old, new in zip(before, made.teacher.parameters()):
        torch.testing.assert_close(new, old + 0.05, rtol=1e-4, atol=1e-6)


def test_the_centre_follows_what_the_teacher_said_over_all_pieces():
    made = learner("dino", answers=12, centre=0.9)
    whole, _ = views()
    heard = made.teacher(whole).mean(dim=0).detach()
    for piece in whole.split(8):
        made(piece, None)
    made.after_step(1, 100)
    torch.testing.assert_close(made.centre, 0.1 * heard)
    made.after_step(2, 100)  # nothing said since
    torch.testing.assert_close(made.centre, 0.1 * heard)


def test_the_teachers_temperature_rises_and_the_last_layer_rests():
    made = learner("dino", answers=12, teacher_start=0.02, teacher=0.06, warm=2, frozen=1)
    whole, local = views()
    seen = []
    for step in (0, 10, 20, 50):
        made.done.fill_(step)
        seen.append(float(made._temperature()))
        made.zero_grad()
        made(whole, local)[0].backward()
        rests = not made.student[1].directions.grad.any()
        assert rests == (step < STEPS) and made.student[0].line.weight.grad.any()
    assert seen == pytest.approx([0.02, 0.04, 0.06, 0.06])


def test_both_collapses_are_told_from_learning():
    made = learner("dino", answers=12)
    whole, _ = views(n=64)
    found = {k: float(v) for k, v in made(whole, None)[1].items()}
    assert made.fault(found) is None and 0 < found["information"] <= math.log(12)
    with torch.no_grad():
        made.centre.zero_()[3] = -100.0
    same = {k: float(v) for k, v in made(whole, None)[1].items()}
    assert same["information"] == pytest.approx(0, abs=1e-5)
    assert "the same answer" in made.fault(same)
    even = learner("dino", answers=12, teacher_start=1e4, teacher=1e4)
    found = {k: float(v) for k, v in even(whole, None)[1].items()}
    assert found["entropy"] == pytest.approx(math.log(12), abs=1e-4)
    assert "the same chance" in even.fault(found)


def test_what_is_remembered_is_in_the_state():
    """A learner that takes up another's state goes on as that one does."""
    one, two = learner("dino", answers=12), learner("dino", answers=12)
    whole, local = views()
    one(whole, local)
    one.after_step(7, 10)
    two.load_state_dict(one.state_dict())
    torch.testing.assert_close(one(whole, local)[0], two(whole, local)[0], rtol=0, atol=0)
    assert int(two.done) == 7 and two.centre.any()


# -- contrast, variance ----------------------------------------------------------------------


def test_simclr_is_the_mean_over_views_of_finding_the_twin():
    made = learner("simclr", hidden=16, out=4, temperature=0.5)
    whole, _ = views()
    loss, figures = made(whole, None)
    at = functional.normalize(made.projector(made.backbone(whole)), dim=1).detach()
    n = len(at) // 2
    terms, right = [], []
    for i in range(2 * n):
        twin = (i + n) % (2 * n)
        chances = torch.tensor([float(at[i] @ at[j]) / 0.5 for j in range(2 * n)]).exp()
        chances[i] = 0
        terms.append(-(chances[twin] / chances.sum()).log())
        right.append(int(chances.argmax()) == twin)
    torch.testing.assert_close(loss, torch.stack(terms).mean(), rtol=1e-4, atol=1e-5)
    assert float(figures["found"]) == pytest.approx(sum(right) / len(right))


def test_vicreg_is_the_sum_of_its_terms():
    made = learner("vicreg", out=5, layers=2)
    whole, _ = views()
    loss, figures = made(whole, None)
    one, two = made.expander(made.backbone(whole)).detach().split(8)
    apart = float(((one - two) ** 2).mean())
    flat = sum(float(torch.relu(1 - (v.var(0, correction=0) + 1e-4).sqrt()).mean())
               for v in (one, two)) / 2
    again = 0.0
    for v in (one, two):
        c = torch.cov(v.T)
        again += float((c**2).sum() - (c.diagonal() ** 2).sum()) / 5
    for name, wanted in (("invariance", apart), ("variance", flat), ("covariance", again)):
        assert float(figures[name].detach()) == pytest.approx(wanted, rel=1e-4)
    assert float(loss.detach()) == pytest.approx(25 * apart + 25 * flat + again, rel=1e-4)


@pytest.mark.parametrize("method", ["simclr", "vicreg"])
def test_the_loss_falls_on_a_batch(method):
    made = learner(method)
    whole, _ = views(n=16)
    optimizer = torch.optim.Adam([p for p in made.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for step in range(1, 31):
        loss, _ = made(whole, None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        made.after_step(step, 30)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
