"""What the doctor found, as every implementation tells it."""

from __future__ import annotations

from tests.contract.world import ContractWorld

from roost.models import Severity


async def test_the_doctor_tells_one_finding_a_check_and_what_mends_it(world: ContractWorld) -> None:
    report = await world.engine.doctor()
    checks = [finding.check for finding in report.findings]
    assert len(checks) == len(set(checks))
    assert "data_dir" in checks
    assert report.checked_at > 0
    for finding in report.findings:
        assert finding.said
        assert bool(finding.mend) is (finding.severity is not Severity.OK), finding


async def test_looking_again_finds_the_same_checks(world: ContractWorld) -> None:
    first, second = await world.engine.doctor(), await world.engine.doctor()
    assert [f.check for f in first.findings] == [f.check for f in second.findings]
    assert second.checked_at >= first.checked_at
