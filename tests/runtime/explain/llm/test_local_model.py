"""A chat model from a local folder behind the same interface: tiny, its weights drawn by chance."""

import pytest

from edge_retrieve.runtime.explain.llm.writer import LlmWriter
from edge_retrieve.runtime.explain.template import TemplateWriter

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
CONTEXT = 4096


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A Llama of two layers that knows single bytes, saved as any chat model is."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    path = tmp_path_factory.mktemp("model")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=CHAT)
    fast.save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(letters),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2 * CONTEXT,
        bos_token_id=None,
        eos_token_id=None,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def test_the_whole_way_to_a_model_and_back(folder, served, found):
    """What such a model says is noise; it is asked and heard, and the template's draft stands."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    lengths = []

    def say(question):
        text = tokenizer.apply_chat_template(question["messages"], tokenize=False, add_generation_prompt=True)
        tokens = tokenizer(text, return_tensors="pt")
        lengths.append(tokens["input_ids"].shape[1])
        with torch.inference_mode():
            out = model.generate(**tokens, max_new_tokens=24, do_sample=False, pad_token_id=0)
        return tokenizer.decode(out[0, lengths[-1] :]) or "?"

    served.say = say
    pieces = []
    draft = LlmWriter(served.endpoint).write(found, on_text=pieces.append)
    assert pieces
    assert draft.sentences == TemplateWriter().write(found).sentences
    assert "is no JSON" in draft.notes[-1]
    # All of the prompt arrived: a token is a byte here.
    asked = sum(len(message["content"].encode()) for message in served.asked[0]["messages"])
    assert lengths[0] == asked + len("<system><user><assistant>")
