"""Laws of MMTM: what gates are, where they act, and a run against one written out by hand."""

from __future__ import annotations

import numpy as np
import torch
from fusion_support import Encoded, scaled
from torch import Tensor

from lemof_core.encoders import pool_level, run_levels
from lemof_core.fusion.mmtm import Mmtm, TransferModule

ROWS = np.arange(6)


def new_net(encoded: Encoded, *, raw_view: bool = False) -> Mmtm:
    torch.manual_seed(1)
    return Mmtm(encoded.sizes(raw_view=raw_view)).eval()


def test_gates_lie_between_zero_and_one_and_are_named_by_stage() -> None:
    encoded, source = Encoded.of("resnet", "tpc"), scaled(6)
    inner = encoded.output(new_net(encoded), source.ecg(ROWS), source.ehr(ROWS)).inner
    widths = {"ecg": encoded.ecg.encoder.gate_widths, "ehr": encoded.ehr.encoder.gate_widths}
    assert set(inner) == {f"{name}_gate_{k}" for name in widths for k in (1, 2, 3)}
    for name, of_stages in widths.items():
        for k, width in zip((1, 2, 3), of_stages, strict=True):
            gate = inner[f"{name}_gate_{k}"]
            assert gate.shape == (6, width) and (gate > 0).all() and (gate < 1).all()
            assert (gate.std(0) > 0).any(), "gates are a sample's own"


def test_the_joint_layer_is_half_as_wide_as_what_it_reads() -> None:
    assert TransferModule((12, 8), (12, 8)).squeeze.weight.shape == (10, 20)  # 2 * (12 + 8) / 4


def test_without_weights_every_stage_is_halved() -> None:
    encoded, source = Encoded.of(), scaled(6)
    net = new_net(encoded)
    with torch.no_grad():
        for parameter in net.transfers.parameters():
            parameter.zero_()
    ecg, ehr = source.ecg(ROWS), source.ehr(ROWS)
    out = encoded.output(net, ecg, ehr)
    assert all((gate == 0.5).all() for gate in out.inner.values())
    tops = []
    for predictor, part in ((encoded.ecg, ecg), (encoded.ehr, ehr)):
        state = predictor.encoder.stem(part)
        for k, width in zip((1, 2, 3), predictor.encoder.gate_widths, strict=True):
            state = predictor.encoder.scale(k, predictor.encoder.block(k, state), torch.full((6, width), 0.5))
        tops.append(pool_level(predictor.encoder.read(3, state), predictor.encoder.levels[2]))
    expected = (net.ecg_head.out(tops[0]) + net.ehr_head.out(tops[1])) / 2
    torch.testing.assert_close(out.logit, expected)


def test_it_equals_a_run_written_out() -> None:
    # ResNet's maps and FT-Transformer's tokens are gated here by hand, without the encoders' `scale` and `read`.
    encoded, source = Encoded.of(), scaled(6)
    net, ecg, ehr = new_net(encoded), encoded.ecg.encoder, encoded.ehr.encoder
    batch_ecg, batch_ehr = source.ecg(ROWS), source.ehr(ROWS)
    maps, tokens = ecg.stem(batch_ecg), ehr.stem(batch_ehr)

    def mean_of_tokens(hidden: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool1d(hidden, 63).mean(2)

    for k, transfer in zip((1, 2, 3), net.transfers, strict=True):
        maps, tokens = ecg.block(k, maps), ehr.block(k, tokens)
        read = torch.cat([mean_of_tokens(maps.hidden), tokens[:, 0]], dim=1)
        joint = torch.relu(read @ transfer.squeeze.weight.T + transfer.squeeze.bias)
        ecg_gate = 1 / (1 + torch.exp(-(joint @ transfer.ecg.weight.T + transfer.ecg.bias)))
        ehr_gate = 1 / (1 + torch.exp(-(joint @ transfer.ehr.weight.T + transfer.ehr.bias)))
        maps = type(maps)(maps.hidden * ecg_gate[:, :, None], maps.present)
        tokens = tokens * ehr_gate[:, None, :]
    ecg_logit, ehr_logit = net.ecg_head.out(mean_of_tokens(maps.hidden)), net.ehr_head.out(tokens[:, 0])
    out = encoded.output(net, batch_ecg, batch_ehr)
    torch.testing.assert_close(out.logit, (ecg_logit + ehr_logit) / 2)
    torch.testing.assert_close(out.modality_logits["ecg"], ecg_logit)
    torch.testing.assert_close(out.modality_logits["ehr"], ehr_logit)


def test_each_stream_hears_the_other_before_its_own_end() -> None:
    encoded, source = Encoded.of(), scaled(8)
    net = new_net(encoded)
    ecg, ehr, other = source.ecg(ROWS), source.ehr(ROWS), source.ehr(ROWS + 2)
    assert not torch.equal(
        encoded.output(net, ecg, ehr).modality_logits["ecg"], encoded.output(net, ecg, other).modality_logits["ecg"]
    )
    later = source.ecg(ROWS + 2)
    assert not torch.equal(
        encoded.output(net, ecg, ehr).modality_logits["ehr"], encoded.output(net, later, ehr).modality_logits["ehr"]
    )


def test_open_gates_leave_the_encoders_plain_run() -> None:
    encoded, source = Encoded.of(), scaled(6)
    net = new_net(encoded)
    with torch.no_grad():
        for parameter in net.transfers.parameters():
            parameter.zero_()
        for transfer in net.transfers:
            transfer.ecg.bias.fill_(100.0)
            transfer.ehr.bias.fill_(100.0)
    ecg, ehr = source.ecg(ROWS), source.ehr(ROWS)
    tops = [
        pool_level(run_levels(predictor.encoder, part)[2], predictor.encoder.levels[2])
        for predictor, part in ((encoded.ecg, ecg), (encoded.ehr, ehr))
    ]
    expected = (net.ecg_head.out(tops[0]) + net.ehr_head.out(tops[1])) / 2
    assert torch.equal(encoded.output(net, ecg, ehr).logit, expected)


def test_without_an_ecg_the_prediction_is_the_ehr_streams_after_an_empty_squeeze() -> None:
    encoded, source = Encoded.of(), scaled(6)
    net = new_net(encoded)
    ecg, ehr = source.ecg(ROWS), source.ehr(ROWS)
    absent = type(ecg)(ecg.tensors, torch.zeros(6, dtype=torch.bool))
    out = encoded.output(net, absent, ehr)
    assert torch.equal(out.logit, out.modality_logits["ehr"]) and out.modality_logits["ecg"].isnan().all()
    first = run_levels(encoded.ehr.encoder, ehr)[0].tokens[:, 0]
    _, gate = net.transfers[0](torch.zeros(6, encoded.ecg.encoder.levels[0].d), first)
    assert torch.equal(out.inner["ehr_gate_1"], gate)
