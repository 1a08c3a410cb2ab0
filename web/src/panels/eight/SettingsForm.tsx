import { memo, useId } from "react";
import { useTranslation } from "../../i18n";
import type { Json } from "../../model/json";
import { LCM_PRESETS } from "../../protocol/generated";
import { useServer } from "../../state/server";
import { duration } from "../queue/queue";
import { evaluations, secondsAStep } from "./cost";
import { EmbeddingRow } from "./EmbeddingRow";
import { chooseVae, dropVae, insertClipSkip } from "./edits";
import type { Found, Setting } from "./find";
import { isLcmCheckpoint, isLcmOn, lcmPart, presetFor, switchOff, switchOn } from "./lcm";
import { NumberField } from "./NumberField";
import { useRestingDocument } from "./resting";
import { SeedRow } from "./SeedRow";
import { SettingRow } from "./SettingRow";
import { applyEdit, changeSetting, choicesOf, useInput, useSetting } from "./useEight";
import { pathOf } from "./walk";

const MOST_CLIP_SKIP = 12;
const CFG_RANGE = [1, 30] as const;
const STEPS_RANGE = [1, 100] as const;
const PLAIN = { steps: 20, cfg: 7, method: "euler", scheduler: "normal" };

/** The eight settings of a sampler as a form. */
export const SettingsForm = memo(function SettingsForm({ found }: { readonly found: Found }) {
  return (
    <div className="settings-form">
      <EmbeddingRow found={found} />
      <VaeRow found={found} />
      <LcmRow found={found} />
      <MethodRow found={found} />
      <StepsRow found={found} />
      <CfgRow found={found} />
      <SeedRow found={found} />
      <ClipSkipRow found={found} />
    </div>
  );
});

function VaeRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const nodes = useServer((state) => state.nodes);
  const setting = found.vae?.setting ?? null;
  const value = useSetting(setting);
  const files = choicesOf(nodes, "VAELoader", "vae_name");
  const change = (file: string) =>
    applyEdit((workflow) =>
      file === "" ? dropVae(workflow, found) : chooseVae(workflow, found, file),
    );
  return (
    <SettingRow name="vae" setting={setting}>
      {found.vae === null ? (
        <p className="hint">{t("eight.noDecoder")}</p>
      ) : (
        <Choice
          label={t("eight.vae.name")}
          value={setting === null ? "" : String(value ?? "")}
          options={files}
          first={t("eight.vae.own")}
          onChange={change}
        />
      )}
    </SettingRow>
  );
}

function LcmRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const workflow = useRestingDocument();
  const nodes = useServer((state) => state.nodes);
  const id = useId();
  const on = isLcmOn(workflow, found);
  const preset = presetFor(LCM_PRESETS, workflow, found);
  const installed = choicesOf(nodes, "LoraLoaderModelOnly", "lora_name");
  const part = on ? null : lcmPart(LCM_PRESETS, workflow, found, installed);
  const lacks = part === null && found.lcm.loras.length === 0 && !isLcmCheckpoint(workflow, found);
  const toggle = () =>
    applyEdit((workflow) => {
      if (on) return switchOff(workflow, found, PLAIN);
      return preset === undefined ? null : switchOn(workflow, found, preset, part);
    });
  return (
    <SettingRow
      name="lcm"
      beside={
        <button
          type="button"
          role="switch"
          id={id}
          className="switch"
          aria-checked={on}
          aria-label={t("eight.lcm.name")}
          onClick={toggle}
        >
          <span aria-hidden="true" />
        </button>
      }
    >
      {part === null ? null : <p className="hint">{t("eight.lcm.inserts", { name: part })}</p>}
      {lacks ? <p className="hint">{t("eight.lcm.needs")}</p> : null}
    </SettingRow>
  );
}

function MethodRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const method = useSetting(found.method);
  const scheduler = useSetting(found.scheduler);
  const known = t(`eight.methods.${method}`, { defaultValue: "" });
  return (
    <SettingRow name="method" setting={found.method}>
      {found.method === null ? (
        <p className="hint">{t("eight.elsewhere")}</p>
      ) : (
        <SettingChoice setting={found.method} label={t("eight.method.name")} value={method} />
      )}
      {known === "" ? null : <p className="hint">{known}</p>}
      {found.scheduler === null ? null : (
        <div className="setting-line">
          <span>{t("eight.scheduler.name")}</span>
          <SettingChoice
            setting={found.scheduler}
            label={t("eight.scheduler.name")}
            value={scheduler}
          />
        </div>
      )}
    </SettingRow>
  );
}

function StepsRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const steps = useSetting(found.steps);
  const cfg = useSetting(found.cfg);
  const sampler = pathOf(found.sampler);
  const aStep = useServer((state) => secondsAStep(state.jobs.values(), sampler));
  const number = typeof steps === "number" ? steps : 0;
  const time = (seconds: number) => duration(seconds, t("queue.seconds"));
  const estimate =
    aStep === null
      ? t("eight.evaluations", { number: evaluations(number, typeof cfg === "number" ? cfg : 1) })
      : t("eight.estimate", { time: time(aStep * number), step: time(aStep) });
  return (
    <SettingRow name="steps" setting={found.steps}>
      {found.steps === null ? (
        <p className="hint">{t("eight.elsewhere")}</p>
      ) : (
        <Slider
          setting={found.steps}
          value={steps}
          range={STEPS_RANGE}
          step={1}
          label={t("eight.steps.name")}
        />
      )}
      <p className="hint">{estimate}</p>
    </SettingRow>
  );
}

function CfgRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const cfg = useSetting(found.cfg);
  const number = typeof cfg === "number" ? cfg : null;
  const word =
    number === null
      ? ""
      : number < 5.5
        ? "free"
        : number < 9.5
          ? "balanced"
          : number <= 15
            ? "faithful"
            : "harsh";
  return (
    <SettingRow
      name="cfg"
      setting={found.cfg}
      beside={word === "" ? null : <span className="hint">{t(`eight.cfgWords.${word}`)}</span>}
    >
      {found.cfg === null ? (
        <p className="hint">{t("eight.noCfg")}</p>
      ) : (
        <Slider
          setting={found.cfg}
          value={cfg}
          range={CFG_RANGE}
          step={0.5}
          label={t("eight.cfg.name")}
        />
      )}
    </SettingRow>
  );
}

function ClipSkipRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const layer = useSetting(found.clipSkip);
  const skip = typeof layer === "number" ? -layer : 1;
  const change = (value: number | bigint) => {
    const to = -Number(value);
    if (found.clipSkip !== null) changeSetting(found.clipSkip, to);
    else if (to !== -1) applyEdit((workflow) => insertClipSkip(workflow, found, to));
  };
  return (
    <SettingRow name="clipSkip" setting={found.clipSkip}>
      <div className="slider-line">
        <input
          type="range"
          aria-label={t("eight.clipSkip.name")}
          min={1}
          max={MOST_CLIP_SKIP}
          value={skip}
          onChange={(event) => change(event.target.valueAsNumber)}
        />
        <NumberField
          label={t("eight.clipSkip.name")}
          value={skip}
          whole
          min={1}
          max={24}
          step={1}
          onChange={change}
        />
      </div>
      {found.clipSkip === null ? <p className="hint">{t("eight.clipSkip.inserts")}</p> : null}
    </SettingRow>
  );
}

// --- controls ------------------------------------------------------------------------------------

interface SliderProps {
  readonly setting: Setting;
  readonly value: Json | undefined;
  readonly range: readonly [number, number];
  readonly step: number;
  readonly label: string;
}

function Slider({ setting, value, range, step, label }: SliderProps) {
  const widget = useInput(setting)?.widget;
  const whole = widget?.kind === "int" || step === 1;
  const limits = widget && "min" in widget ? widget : { min: null, max: null };
  return (
    <div className="slider-line">
      <input
        type="range"
        aria-label={label}
        min={range[0]}
        max={range[1]}
        step={step}
        value={typeof value === "number" ? value : range[0]}
        onChange={(event) => changeSetting(setting, event.target.valueAsNumber)}
      />
      <NumberField
        label={label}
        value={value}
        whole={whole}
        min={limits.min}
        max={limits.max}
        step={step}
        onChange={(number) => changeSetting(setting, number)}
      />
    </div>
  );
}

interface SettingChoiceProps {
  readonly setting: Setting;
  readonly label: string;
  readonly value: Json | undefined;
}

export function SettingChoice({ setting, label, value }: SettingChoiceProps) {
  const widget = useInput(setting)?.widget;
  const options = widget && "choices" in widget ? widget.choices.map(String) : [];
  return (
    <Choice
      label={label}
      value={String(value ?? "")}
      options={options}
      onChange={(chosen) => changeSetting(setting, chosen)}
    />
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly first?: string;
  readonly onChange: (value: string) => unknown;
}

/** A choice; a value that is not among the options is shown all the same. */
export function Choice({ label, value, options, first, onChange }: ChoiceProps) {
  const unknown = value !== "" && !options.includes(value);
  return (
    <select
      className="field"
      aria-label={label}
      aria-invalid={unknown}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    >
      {first === undefined ? null : <option value="">{first}</option>}
      {unknown ? <option value={value}>{value}</option> : null}
      {options.map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </select>
  );
}
