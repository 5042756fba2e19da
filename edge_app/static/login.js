// The log-in page. Addresses are relative, so that it works below any path.

const form = document.getElementById("login");
const problem = document.getElementById("problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  problem.textContent = "";
  try {
    const response = await fetch("api/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user: form.user.value, password: form.password.value }),
    });
    if (response.ok) {
      location.replace("./");
      return;
    }
    const body = await response.json().catch(() => ({}));
    const what = body.what || `The server answered ${response.status}`;
    problem.textContent = body.remedy ? `${what}. ${body.remedy}.` : `${what}.`;
    problem.textContent = problem.textContent[0].toUpperCase() + problem.textContent.slice(1);
    form.password.value = "";
    form.password.focus();
  } catch {
    problem.textContent = "The server does not answer.";
  } finally {
    button.disabled = false;
  }
});
