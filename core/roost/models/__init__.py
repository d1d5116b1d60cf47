"""Frozen values that cross a boundary: what the engine, the API and every client share.

All times are epoch milliseconds; durations carry their unit in the name. What only the engine or
the doctor needs is loaded on first use: making a dataclass takes most of a millisecond, and the
screen counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.models.credential import (
    CredentialField,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
)
from roost.models.daemon import (
    DaemonView,
    WorkspaceView,
)
from roost.models.definition import (
    BundleKind,
    BundleSettings,
    ConfigField,
    Definition,
    FieldType,
    FieldValue,
    InstallRequest,
    ResourceLimits,
    RespawnStrategy,
    RestartPolicy,
    Runtime,
    Source,
    SourceKind,
)
from roost.models.event import (
    CHANGE_BODIES,
    EVENT_NAMES,
    BundleChanged,
    BundleMeasure,
    BundleRemoved,
    Change,
    ChangeBody,
    Closing,
    DaemonChanged,
    EngineEvent,
    EngineState,
    FiguresChanged,
    RunChanged,
    Snapshot,
    Transitioned,
    WorkspaceChanged,
    WorkspaceRemoved,
)
from roost.models.log import (
    LogLine,
    LogPage,
    LogStream,
)
from roost.models.names import (
    NAME_PATTERN,
    is_valid_name,
    slug,
)
from roost.models.run import (
    CallRequest,
    RunDetail,
    RunError,
    RunEvent,
    RunEventKind,
    RunKind,
    RunProgress,
    RunQuery,
    RunStatus,
    RunTrigger,
    RunView,
    StopOutcome,
    ToolView,
)
from roost.models.slot import (
    ActionResult,
    BundleDetail,
    BundleView,
    CallFigures,
    CrashRecord,
    Figures,
    GenerationView,
    Impact,
    Reason,
    RespawnResult,
    SlotState,
    StartMode,
    StartStep,
    Transition,
)

if TYPE_CHECKING:
    from roost.models.doctor import (
        DoctorReport,
        Finding,
        Severity,
    )
    from roost.models.figures import FigureSample
    from roost.models.launch import (
        Launch,
        LaunchContext,
        PreparePlan,
        PrepareStep,
        ResolvedCredentials,
    )
    from roost.models.record import (
        AuditEntry,
        BundleRow,
        CredentialRow,
        CredentialSet,
        LiveGeneration,
        NewRun,
    )
    from roost.models.settings_change import (
        SettingsChange,
        SettingsOutcome,
    )
    from roost.models.why import (
        WhyCheck,
        WhyReport,
        WhyStatus,
        WhyStep,
    )

_ON_FIRST_USE = {
    "DoctorReport": "roost.models.doctor",
    "Finding": "roost.models.doctor",
    "Severity": "roost.models.doctor",
    "FigureSample": "roost.models.figures",
    "Launch": "roost.models.launch",
    "LaunchContext": "roost.models.launch",
    "PreparePlan": "roost.models.launch",
    "PrepareStep": "roost.models.launch",
    "ResolvedCredentials": "roost.models.launch",
    "AuditEntry": "roost.models.record",
    "BundleRow": "roost.models.record",
    "CredentialRow": "roost.models.record",
    "CredentialSet": "roost.models.record",
    "LiveGeneration": "roost.models.record",
    "NewRun": "roost.models.record",
    "SettingsChange": "roost.models.settings_change",
    "SettingsOutcome": "roost.models.settings_change",
    "WhyCheck": "roost.models.why",
    "WhyReport": "roost.models.why",
    "WhyStatus": "roost.models.why",
    "WhyStep": "roost.models.why",
}

__all__ = [
    "CHANGE_BODIES",
    "EVENT_NAMES",
    "NAME_PATTERN",
    "ActionResult",
    "AuditEntry",
    "BundleChanged",
    "BundleDetail",
    "BundleKind",
    "BundleMeasure",
    "BundleRemoved",
    "BundleRow",
    "BundleSettings",
    "BundleView",
    "CallFigures",
    "CallRequest",
    "Change",
    "ChangeBody",
    "Closing",
    "ConfigField",
    "CrashRecord",
    "CredentialField",
    "CredentialForm",
    "CredentialOutcome",
    "CredentialRow",
    "CredentialSet",
    "CredentialWrite",
    "DaemonChanged",
    "DaemonView",
    "Definition",
    "DoctorReport",
    "EngineEvent",
    "EngineState",
    "FieldType",
    "FieldValue",
    "FigureSample",
    "Figures",
    "FiguresChanged",
    "Finding",
    "GenerationView",
    "Impact",
    "InstallRequest",
    "Launch",
    "LaunchContext",
    "LiveGeneration",
    "LogLine",
    "LogPage",
    "LogStream",
    "NewRun",
    "PreparePlan",
    "PrepareStep",
    "Reason",
    "ResolvedCredentials",
    "ResourceLimits",
    "RespawnResult",
    "RespawnStrategy",
    "RestartPolicy",
    "RunChanged",
    "RunDetail",
    "RunError",
    "RunEvent",
    "RunEventKind",
    "RunKind",
    "RunProgress",
    "RunQuery",
    "RunStatus",
    "RunTrigger",
    "RunView",
    "Runtime",
    "SettingsChange",
    "SettingsOutcome",
    "Severity",
    "SlotState",
    "Snapshot",
    "Source",
    "SourceKind",
    "StartMode",
    "StartStep",
    "StopOutcome",
    "ToolView",
    "Transition",
    "Transitioned",
    "WhyCheck",
    "WhyReport",
    "WhyStatus",
    "WhyStep",
    "WorkspaceChanged",
    "WorkspaceRemoved",
    "WorkspaceView",
    "is_valid_name",
    "slug",
]


def __getattr__(name: str) -> Any:
    module = _ON_FIRST_USE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value
