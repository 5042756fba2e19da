"""The settings of the language model that puts drafts into words, a part of the server's table."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.edge_app.setting_rows import row
from edge_retrieve.runtime.explain.draft import DraftWriter
from edge_retrieve.runtime.explain.llm.endpoint import CONTEXT_TOKENS, TIMEOUT_S, Endpoint
from edge_retrieve.runtime.explain.llm.prompting import Task
from edge_retrieve.runtime.explain.llm.writer import LlmWriter
from edge_retrieve.runtime.explain.template import TemplateWriter


@dataclass(frozen=True)
class LlmSettings:
    """The rows about a language model; without its address the template writes."""

    llm: str = row(
        "",
        "URL",
        "OpenAI-compatible interface of a language model on this network that words drafts, as in "
        "http://127.0.0.1:8080/v1; the template if left out.",
    )
    llm_model: str = row("", "name", "The model, as that server names it.")
    llm_timeout_s: float = row(
        TIMEOUT_S,
        "seconds",
        "Time for its whole answer; the template takes over then.",
        smallest=1,
        largest=3600,
    )
    llm_context_tokens: int = row(
        CONTEXT_TOKENS,
        "tokens",
        "What prompt and answer may have together; sentences of cases are left out where they do not fit.",
        smallest=1024,
        largest=1 << 20,
    )
    llm_allow_public: bool = row(
        False, "yes or no", "Talk to a language model outside of private networks, too."
    )

    def writer(self, task: Task = Task.REPORT) -> DraftWriter:
        """Return who writes drafts.

        Parameters
        ----------
        task : Task
            What a language model is asked for.

        Raises
        ------
        ConfigError
            Where the address or the model's name is none.
        """
        endpoint = self.endpoint()
        return TemplateWriter() if endpoint is None else LlmWriter(endpoint, task)

    def endpoint(self) -> Endpoint | None:
        """Return the language model; None where there is none.

        Raises
        ------
        ConfigError
            Where the address or the model's name is none.
        """
        if not self.llm:
            return None
        return Endpoint(
            self.llm,
            self.llm_model,
            timeout_s=self.llm_timeout_s,
            context_tokens=self.llm_context_tokens,
            allow_public=self.llm_allow_public,
        )


LLM_SETTINGS = ("llm", "llm_model", "llm_timeout_s", "llm_context_tokens", "llm_allow_public")
